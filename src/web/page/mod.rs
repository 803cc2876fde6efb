//! The pages: one file each, one row each in the table below. The router, the navigation and the tests
//! go through the table.

pub(super) mod account;
pub(super) mod accounts;
pub(super) mod alarm;
pub(super) mod app_password;
pub(super) mod audit;
pub(super) mod browse;
pub(super) mod comparison;
pub(super) mod comparisons;
pub(super) mod connect;
pub(super) mod connections;
pub(super) mod definitions;
pub(super) mod diagnosis;
pub(super) mod doctor;
pub(super) mod download;
pub(super) mod endpoints;
mod events;
pub(super) mod finding;
pub(super) mod incident;
pub(super) mod job;
pub(super) mod job_form;
pub(super) mod jobs;
pub(super) mod manifest;
pub(super) mod moved;
pub(super) mod observations;
pub(super) mod overview;
pub(super) mod own;
pub(super) mod pairs;
mod picked;
pub(super) mod refused;
pub(super) mod reliability;
pub(super) mod run;
pub(super) mod second_factor;
pub(super) mod shared;
pub(super) mod shares;
pub(super) mod sign_in;
pub(super) mod survey;
pub(super) mod surveys;
pub(super) mod trash;
pub(super) mod trends;
pub(super) mod upload;
pub(super) mod usage;

use askama::Template;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::{Deserialize, Deserializer, Serialize};

use super::live;
use super::problem::Problem;
use super::state::WebState;
use super::stream;
use crate::model::RelPath;

/// Who may see a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Public,
    /// Whoever is signed in.
    Account,
    /// Administrators.
    Admin,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Page {
    /// The route.
    pub path: &'static str,
    /// Who may see it.
    pub audience: Audience,
    /// Its name in the navigation, if it stands there.
    pub nav: Option<&'static str>,
    /// What answers.
    pub routes: fn() -> MethodRouter<WebState>,
}

const fn page(path: &'static str, audience: Audience, routes: fn() -> MethodRouter<WebState>) -> Page {
    Page { path, audience, nav: None, routes }
}

const fn named(label: &'static str, page: Page) -> Page {
    Page { nav: Some(label), ..page }
}

use Audience::{Account, Admin, Public};

/// Every page and every action.
pub const PAGES: &[Page] = &[
    page("/sign-in", Public, || get(sign_in::show).post(sign_in::sign_in)),
    page("/sign-out", Public, || post(sign_in::sign_out)),
    page("/theme", Public, || post(sign_in::theme)),
    named("Overview", page("/", Admin, || get(overview::show))),
    page("/live/overview", Admin, || get(stream::overview)),
    named("Jobs", page("/jobs", Admin, || get(jobs::show).post(job_form::create))),
    page("/live/jobs", Admin, || get(stream::jobs)),
    page("/jobs/new", Admin, || get(job_form::add)),
    page("/jobs/{id}", Admin, || get(job::show)),
    page("/jobs/{id}/live", Admin, || get(stream::job)),
    page("/jobs/{id}/edit", Admin, || get(job_form::edit).post(job_form::update)),
    page("/jobs/{id}/run", Admin, || post(job::run_now)),
    page("/jobs/{id}/pause", Admin, || post(job::pause)),
    page("/jobs/{id}/resume", Admin, || post(job::resume)),
    page("/jobs/{id}/delete", Admin, || post(job::delete)),
    page("/runs/{id}", Admin, || get(run::show)),
    page("/runs/{id}/live", Admin, || get(stream::run)),
    page("/runs/{id}/manifest", Admin, || get(manifest::download)),
    page("/runs/{id}/cancel", Admin, || post(run::cancel)),
    page("/api/runs/{id}", Admin, || get(live::json)),
    page("/comparisons", Admin, || get(comparisons::show).post(comparisons::make)),
    page("/comparisons/{id}", Admin, || get(comparison::show).post(comparison::change)),
    page("/comparisons/{id}/pairs", Admin, || get(pairs::show)),
    page("/comparisons/{id}/switch", Admin, || post(comparison::switch)),
    page("/comparisons/{id}/now", Admin, || post(comparison::now)),
    page("/comparisons/{id}/delete", Admin, || post(comparison::delete)),
    named("Surveys", page("/surveys", Admin, || get(surveys::show).post(surveys::start))),
    page("/surveys/{id}", Admin, || get(survey::show)),
    page("/surveys/{id}/live", Admin, || get(stream::survey)),
    page("/surveys/{id}/report", Admin, || get(survey::download)),
    page("/surveys/{id}/stop", Admin, || post(survey::stop)),
    page("/surveys/{id}/delete", Admin, || post(survey::delete)),
    named("Files", page("/browse", Account, || get(browse::show))),
    page("/browse/", Account, || get(browse::show).post(browse::act)),
    page("/browse/{*path}", Account, || get(browse::show).post(browse::act)),
    page("/move/", Account, || post(moved::act)),
    page("/move/{*path}", Account, || post(moved::act)),
    page("/trash", Account, || get(trash::list)),
    page("/trash/{id}/restore", Account, || post(trash::restore)),
    page("/trash/{id}/delete", Account, || post(trash::purge)),
    page("/upload/", Account, || post(upload::upload)),
    page("/upload/{*path}", Account, || post(upload::upload)),
    page("/download/", Account, || get(download::download).post(download::pick)),
    page("/download/{*path}", Account, || get(download::download).post(download::pick)),
    named("Reliability", page("/reliability", Admin, || get(reliability::show))),
    page("/reliability/export", Admin, || get(reliability::export)),
    page("/reliability/definitions", Admin, || get(definitions::show)),
    page("/reliability/endpoints", Admin, || get(endpoints::show)),
    page("/reliability/trends", Admin, || get(trends::show)),
    page("/observations", Admin, || get(observations::show)),
    page("/api/reliability", Admin, || get(reliability::json)),
    named("Doctor", page("/doctor", Admin, || get(doctor::show).post(doctor::start))),
    page("/doctor/{id}", Admin, || get(diagnosis::show)),
    page("/doctor/{id}/live", Admin, || get(stream::diagnosis)),
    page("/doctor/{id}/report", Admin, || get(diagnosis::download)),
    page("/doctor/{id}/try", Admin, || post(diagnosis::try_remedy)),
    page("/doctor/{id}/stop", Admin, || post(diagnosis::stop)),
    page("/doctor/{id}/delete", Admin, || post(diagnosis::delete)),
    page("/alarms/{id}", Admin, || get(alarm::page)),
    page("/incidents/{id}", Admin, || get(incident::page)),
    page("/incidents/{id}/look", Admin, || post(incident::look)),
    named("Connections", page("/connections", Admin, || get(connections::show))),
    page("/live/connections", Admin, || get(stream::connections)),
    page("/api/connections", Admin, || get(connections::json)),
    page("/connections/{id}/end", Admin, || post(connections::end)),
    named("Audit log", page("/audit", Admin, || get(audit::show))),
    page("/audit/verify", Admin, || post(audit::verify)),
    page("/audit/checkpoint", Admin, || get(audit::checkpoint)),
    named("Accounts", page("/accounts", Admin, || get(accounts::show).post(accounts::create))),
    page("/accounts/{name}", Admin, || get(account::show).post(account::rights)),
    page("/accounts/{name}/password", Admin, || post(account::password)),
    page("/accounts/{name}/require", Admin, || post(account::require)),
    page("/accounts/{name}/keys", Admin, || post(account::add_key)),
    page("/accounts/{name}/keys/remove", Admin, || post(account::remove_key)),
    page("/accounts/{name}/switch", Admin, || post(account::switch)),
    page("/shares", Account, || get(shares::list)),
    page("/shares/new/", Account, || get(shares::add).post(shares::make)),
    page("/shares/new/{*path}", Account, || get(shares::add).post(shares::make)),
    page("/shares/{id}/end", Account, || post(shares::end)),
    page("/s/{secret}", Public, || get(shared::show).post(shared::open)),
    page("/s/{secret}/", Public, || get(shared::show).post(shared::receive)),
    page("/s/{secret}/{*path}", Public, || get(shared::show)),
    page("/connect", Account, || get(connect::show)),
    page("/connect/{file}", Account, || get(connect::download)),
    page("/account", Account, || get(own::show)),
    page("/account/password", Account, || post(own::password)),
    page("/account/keys", Account, || post(own::add_key)),
    page("/account/keys/remove", Account, || post(own::remove_key)),
    page("/account/connections/{id}/end", Account, || post(connections::end_own)),
    page("/account/second-factor", Account, || post(second_factor::begin)),
    page("/account/second-factor/confirm", Account, || post(second_factor::confirm)),
    page("/account/second-factor/remove", Account, || post(second_factor::remove)),
    page("/account/app-passwords", Account, || post(app_password::make)),
    page("/account/app-passwords/remove", Account, || post(app_password::remove)),
    page("/accounts/{name}/app-passwords/remove", Admin, || post(app_password::remove_of)),
    page("/accounts/{name}/second-factor/remove", Admin, || post(account::remove_second_factor)),
    page("/accounts/{name}/unlock", Admin, || post(account::unlock)),
    page("/accounts/{name}/delete", Admin, || post(account::delete)),
];

/// The pages of the navigation with their names, in order.
pub fn navigation() -> impl Iterator<Item = (&'static Page, &'static str)> {
    PAGES.iter().filter_map(|page| page.nav.map(|label| (page, label)))
}

/// Renders a page. Pages are made for one visitor at one moment: nobody keeps them.
pub(super) fn html(page: &impl Template) -> Result<Response, Problem> {
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(page.render()?)).into_response())
}

/// A file of JSON, to be saved under `name`, which holds nothing that a header would mind.
pub(super) fn json_file(value: &impl Serialize, name: &str) -> Result<Response, Problem> {
    let body = serde_json::to_string_pretty(value).map_err(|error| Problem::Failed(error.to_string()))?;
    let about = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    Ok((about, body).into_response())
}

/// Links to the neighbouring pages of a long list.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    /// Back.
    pub newer: Option<String>,
    /// What "back" is called.
    pub newer_label: &'static str,
    /// On.
    pub older: Option<String>,
    /// What "on" is called.
    pub older_label: &'static str,
}

/// A checkbox: there and not empty means yes.
fn ticked<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Ok(!String::deserialize(value)?.is_empty())
}

/// A folder of the served tree as a person types it; one slash before and behind it is borne, `..` is not.
fn folder(typed: &str) -> Result<RelPath, String> {
    let typed = typed.trim();
    let inside = typed.strip_prefix('/').unwrap_or(typed);
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    RelPath::new(inside).map_err(|error| error.to_string())
}
