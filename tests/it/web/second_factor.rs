//! The second factor on the dashboard: switched on by its owner, asked for at the sign-in, taken away by an admin.

use super::site::{Curl, PASSWORD, Site};
use crate::support::totp;

#[test]
fn a_second_factor_is_set_up_asked_for_and_taken_away() {
    let site = Site::start();
    let partner = Curl::signed_in(&site, "partner");
    let wrong = partner.told("/account", "/account/second-factor", &[("old", "wrong")]);
    assert!(wrong.contains("present password is not right"), "{wrong}");
    let page = partner.post("/account", "/account/second-factor", &[("old", PASSWORD)]);
    let secret = page.body.split("<p class=\"hash\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(page.body.contains(&format!("otpauth://totp/Causeway:partner?secret={secret}")), "{}", page.body);
    assert!(page.head.contains("no-store") && !partner.get("/account").body.contains(secret));
    let confirm = |code: &str| partner.told("/account", "/account/second-factor/confirm", &[("code", code)]);
    let refused = confirm("000000");
    assert!(refused.contains("The code is not right") && !refused.contains(secret), "{refused}");
    Curl::signed_in(&site, "partner");
    let holds = confirm(&totp::code_after(secret, 0));
    assert!(holds.contains("The second factor holds"), "{holds}");

    let stranger = Curl::new(&site);
    let sign_in = |password: &str, code: &str| {
        stranger.post("/sign-in", "/sign-in", &[("name", "partner"), ("password", password), ("code", code)])
    };
    let next = totp::code_after(secret, 1);
    let refusals = [sign_in(PASSWORD, ""), sign_in(PASSWORD, "000000"), sign_in("wrong", &next)];
    for refused in &refusals {
        assert_eq!(refused.status, 401);
        assert!(refused.body.contains("do not belong together"), "the same for every reason: {}", refused.body);
    }
    assert_eq!(sign_in(PASSWORD, &next).status, 303);

    let admin = Curl::signed_in(&site, "admin");
    assert!(admin.get("/accounts/partner").body.contains("needs a code from an authenticator app"));
    let gone = admin.told("/accounts/partner", "/accounts/partner/second-factor/remove", &[]);
    assert!(gone.contains("The second factor is removed"), "{gone}");
    Curl::signed_in(&site, "partner");
}
