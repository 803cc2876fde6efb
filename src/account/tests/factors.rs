//! Several factors for one login, and the second factor.

use super::*;
use crate::audit::LoginRefusal;

const ELSEWHERE: &str = "198.51.100.9:22";

impl House {
    /// Gives anna a second factor, as an app would answer.
    async fn second_factor(&self) -> SharedSecret {
        let shared = self.accounts.begin_second_factor("anna").await.unwrap();
        let code = self.code(&shared);
        self.accounts.confirm_second_factor(&Actor::System, "anna", &code).await.unwrap();
        self.clock.advance(SignedDuration::from_secs(30));
        shared
    }

    fn code(&self, shared: &SharedSecret) -> Secret {
        second::code_at(&shared.base32, self.clock.now())
    }

    /// One step of a login: `password`, `code` and `key` as far as they are given.
    async fn step(
        &self,
        shown: (Option<&str>, Option<&Secret>, bool),
        before: Option<&Passed>,
    ) -> Result<Progress, LoginError> {
        let password = shown.0.map(Secret::new);
        let blob = PublicKey::parse(KEY).unwrap().blob;
        let proofs =
            Proofs { password: password.as_ref(), code: shown.1, key: shown.2.then_some(ShownKey::Plain(&blob)) };
        self.accounts.step("anna", proofs, before, &from(ELSEWHERE)).await
    }

    async fn require(&self, factors: &str) -> Result<(), AccountError> {
        let change = Change { required: Some(factors.parse().unwrap()), ..Change::default() };
        self.accounts.change(&Actor::System, "anna", &change).await
    }

    async fn last(&self) -> Event {
        self.log.page(&Filter::default()).await.unwrap().into_iter().next().unwrap().event.unwrap()
    }
}

fn partly(result: Result<Progress, LoginError>) -> Passed {
    match result {
        Ok(Progress::Partly(passed)) => passed,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_in(result: &Result<Progress, LoginError>) {
    assert!(matches!(result, Ok(Progress::In(_))), "{result:?}");
}

#[track_caller]
fn is_refused(result: &Result<Progress, LoginError>) {
    assert!(matches!(result, Err(LoginError::Refused)), "{result:?}");
}

const RIGHT: Option<&str> = Some("correct horse");

#[tokio::test]
async fn a_password_that_is_remembered_is_no_second_factor() {
    let house = house().await;
    house.second_factor().await;
    let (password, peer) = (Secret::new("correct horse"), from(ELSEWHERE));
    for _ in 0..2 {
        partly(house.step((RIGHT, None, false), None).await);
        let alone = house.accounts.login_password("anna", &password, &peer).await;
        assert!(matches!(alone, Err(LoginError::Incomplete)), "{alone:?}");
        let request = house.accounts.login_request("anna", &password, &peer).await;
        assert!(matches!(request, Err(LoginError::Incomplete)), "{request:?}");
    }
}

#[tokio::test]
async fn a_second_factor_holds_from_its_first_code_on() {
    let house = house().await;
    let shared = house.accounts.begin_second_factor("anna").await.unwrap();
    is_in(&house.step((RIGHT, None, false), None).await);
    let wrong = house.accounts.confirm_second_factor(&Actor::System, "anna", &Secret::new("000000")).await;
    assert!(matches!(wrong, Err(AccountError::WrongCode)), "{wrong:?}");
    // Whoever begins again has another secret.
    let second = house.accounts.begin_second_factor("anna").await.unwrap();
    let old = house.accounts.confirm_second_factor(&Actor::System, "anna", &house.code(&shared)).await;
    assert!(matches!(old, Err(AccountError::WrongCode)), "{old:?}");
    let grant = house.try_password("anna", "correct horse", ELSEWHERE).await.unwrap();
    let session = house.sessions.create(&grant, ELSEWHERE.parse().unwrap()).await.unwrap();
    let code = house.code(&second);
    house.accounts.confirm_second_factor(&Actor::System, "anna", &code).await.unwrap();
    assert!(house.sessions.find(session.expose()).await.unwrap().is_none(), "it began without the second factor");
    assert!(!house.accounts.is_current(&grant).await.unwrap());
    assert!(matches!(house.accounts.begin_second_factor("anna").await, Err(AccountError::SecondFactorOn(_))));
    is_refused(&house.step((RIGHT, Some(&code), false), None).await);
    house.clock.advance(SignedDuration::from_secs(30));
    let code = house.code(&second);
    is_in(&house.step((RIGHT, Some(&code), false), None).await);
    is_refused(&house.step((RIGHT, Some(&code), false), None).await);
    assert!(matches!(house.last().await, Event::LoginFailed { reason: LoginRefusal::WrongCode, .. }));
    house.accounts.remove_second_factor(&Actor::System, "anna").await.unwrap();
    is_in(&house.step((RIGHT, None, false), None).await);
    let actions = house.actions().await;
    let is = |action: &str| actions.iter().filter(|a| *a == action).count();
    assert_eq!((is("second-factor-added"), is("second-factor-removed")), (1, 1));
}

#[tokio::test]
async fn a_password_alone_goes_half_the_way() {
    let house = house().await;
    let shared = house.second_factor().await;
    let passed = partly(house.step((RIGHT, None, false), None).await);
    assert_eq!(passed.missing(), Factors::CODE);
    is_refused(&house.step((None, Some(&Secret::new("123456")), false), Some(&passed)).await);
    let code = house.code(&shared);
    is_refused(&house.step((None, Some(&code), false), None).await);
    is_in(&house.step((None, Some(&code), false), Some(&passed)).await);
    let Event::LoginSucceeded { method, with, .. } = house.last().await else { panic!() };
    assert_eq!((method, with), (crate::audit::LoginMethod::Password, vec![crate::audit::LoginMethod::Code]));
    // At a door that takes no more than a password it is refused, and said why in the log.
    let basic = house.accounts.login_request("anna", &Secret::new("correct horse"), &from(ELSEWHERE)).await;
    assert!(matches!(basic, Err(LoginError::Incomplete)), "{basic:?}");
    assert!(matches!(house.last().await, Event::LoginFailed { reason: LoginRefusal::Incomplete, .. }));
    // What was shown before a change counts no more.
    house.clock.advance(SignedDuration::from_secs(30));
    house.accounts.set_password(&Actor::System, "anna", &Secret::new("battery staple")).await.unwrap();
    is_refused(&house.step((None, Some(&house.code(&shared)), false), Some(&passed)).await);
    let refused = Secret::new("whatever");
    let wrong = house.accounts.login_request("anna", &refused, &from(ELSEWHERE)).await;
    assert!(matches!(wrong, Err(LoginError::Refused)), "a stranger learns nothing of it");
}

#[tokio::test]
async fn guesses_at_codes_lock_and_a_right_password_clears_none_of_them() {
    let house = house().await;
    let shared = house.second_factor().await;
    for _ in 0..9 {
        let passed = partly(house.step((RIGHT, None, false), None).await);
        is_refused(&house.step((None, Some(&Secret::new("123456")), false), Some(&passed)).await);
    }
    is_refused(&house.step((RIGHT, Some(&Secret::new("123456")), false), None).await);
    let locked = house.step((RIGHT, Some(&house.code(&shared)), false), None).await;
    assert!(matches!(locked, Err(LoginError::Locked(_))), "{locked:?}");
}

#[tokio::test]
async fn an_account_gets_what_it_requires() {
    let house = house().await;
    house.accounts.add_key(&Actor::System, "anna", KEY).await.unwrap();
    let blob = PublicKey::parse(KEY).unwrap().blob;
    assert!(matches!(house.require("key+code").await, Err(AccountError::SecondFactorOff(_))));
    let shared = house.second_factor().await;
    is_in(&house.step((None, None, true), None).await);
    let asked = |before| house.accounts.to_type("anna", before);

    house.require("key+code").await.unwrap();
    assert!(matches!(
        house.accounts.remove_second_factor(&Actor::System, "anna").await,
        Err(AccountError::CodeRequired(_))
    ));
    assert_eq!(asked(None).await.unwrap(), Factors::PASSWORD, "as of everybody");
    is_refused(&house.step((RIGHT, None, false), None).await);
    assert!(matches!(house.last().await, Event::LoginFailed { reason: LoginRefusal::Method, .. }));
    let passed = partly(house.step((None, None, true), None).await);
    assert_eq!((passed.missing(), asked(Some(&passed)).await.unwrap()), (Factors::CODE, Factors::CODE));
    is_in(&house.step((None, Some(&house.code(&shared)), false), Some(&passed)).await);
    assert!(house.accounts.get("anna").await.unwrap().unwrap().keys[0].last_used.is_some());

    house.require("key+password").await.unwrap();
    assert_eq!(asked(None).await.unwrap(), Factors::PASSWORD, "a key beside it does for the code");
    let passed = partly(house.step((RIGHT, None, false), None).await);
    is_in(&house.step((None, None, true), Some(&passed)).await);

    house.require("password").await.unwrap();
    assert!(!house.accounts.knows_key("anna", &blob).await.unwrap());
    is_refused(&house.step((None, None, true), None).await);
    assert_eq!(asked(None).await.unwrap(), Factors { key: false, ..Factors::PASSWORD.with(Factors::CODE) });
    house.accounts.remove_second_factor(&Actor::System, "anna").await.unwrap();
    assert_eq!(asked(None).await.unwrap(), Factors::PASSWORD);
    is_in(&house.step((RIGHT, None, false), None).await);
    assert_eq!(house.accounts.to_type("nobody", None).await.unwrap(), Factors::PASSWORD);
}

#[tokio::test]
async fn an_admin_who_needs_a_key_cannot_sign_in_and_does_not_count() {
    let house = house().await;
    let admin = Change { admin: Some(true), ..Change::default() };
    house.accounts.change(&Actor::System, "anna", &admin).await.unwrap();
    assert!(matches!(house.require("key+password").await, Err(AccountError::LastAdmin)));
    house.require("password").await.unwrap();
    assert!(house.accounts.ensure_first_admin().await.unwrap().is_none());
}
