//! Before a page answers: may this visitor see it?

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::form::{go, visitor_of};
use super::page::Audience;
use super::problem::Problem;

/// Middleware of one row of the page table.
pub(super) async fn keep(State(audience): State<Audience>, request: Request, next: Next) -> Response {
    let visitor = match visitor_of(&request) {
        Ok(visitor) => visitor,
        Err(problem) => return problem.into_response(),
    };
    match (audience, visitor.who()) {
        (Audience::Public, _) => next.run(request).await,
        (Audience::Account, Some(_)) => next.run(request).await,
        (Audience::Admin, Some(who)) if who.admin => next.run(request).await,
        // The start of the site leads everybody to what is open to them.
        (Audience::Admin, Some(_)) if visitor.path == "/" => go("/browse/"),
        (Audience::Admin, Some(_)) => Problem::Forbidden.into_response(),
        (_, None) if request.method() == Method::GET && wants_page(&request) => {
            let back = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let back = percent_encoding::utf8_percent_encode(back, percent_encoding::NON_ALPHANUMERIC);
            go(&format!("/sign-in?back={back}"))
        }
        (_, None) => Problem::Stale.into_response(),
    }
}

/// Streams and scripts are told; people are shown the way.
fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("*/*");
    accept.contains("text/html") || accept.contains("*/*") && !request.uri().path().starts_with("/api/")
}
