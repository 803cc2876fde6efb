//! Signing in and out.

use askama::Template;

use crate::web::frame::Frame;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(in crate::web) struct SignInPage {
    pub frame: Frame,
    pub problem: Option<String>,
    pub name: String,
    pub back: String,
}
