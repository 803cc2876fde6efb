//! The command line: reads what was typed, does it over the same library as the server, and ends with
//! an exit code that can be relied on. Only this module speaks to the terminal.

mod account;
mod app;
mod args;
mod audit;
mod ca;
mod check;
mod doctor;
mod drill;
mod endpoint;
mod host_key;
mod job;
mod ls;
mod manifest;
mod mirror;
mod output;
mod password;
mod progress;
mod report;
mod rotation;
mod runs;
mod serve;
mod state;
mod stress;
mod summary;
mod survey;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::app::{StartError, Store, StoreError};
use crate::config::{self, Config, Environment, Loaded, Problems};
use crate::demo::DemoError;
use crate::telemetry;

use args::{Cli, ManifestVerb, Verb};
use output::Out;

/// How a command ended when it did not end well.
#[derive(Debug)]
pub enum Failure {
    /// Said to the person, exit code 1.
    Message(String),
    /// Everything was said already, exit code 1.
    Said,
    /// Everything is there, but not all of it was verified: exit code 3.
    NotVerified,
    /// A report is there, but it is about a part only: exit code 3.
    Partial,
    /// A diagnosis found a cause, or a load was not borne: exit code 3.
    Found,
    /// A manifest that cannot be believed, said to the person: exit code 2.
    Unbelievable(String),
    /// Nobody reads any more: a quiet end, exit code 0.
    BrokenPipe,
}

impl Failure {
    /// The verdict of a command that told it as it went: nobody reading any more does not make it better.
    ///
    /// # Errors
    /// The verdict's; else what kept the telling from being done.
    pub fn judge(verdict: Result<(), Self>, told: Result<(), Self>) -> Result<(), Self> {
        match (verdict, told) {
            (verdict, Ok(()) | Err(Self::BrokenPipe)) => verdict,
            (Ok(()), told) => told,
            (verdict, _) => verdict,
        }
    }

    /// A sentence for the person.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }
}

/// The error and what is behind it; a text that names its cause itself is not told twice.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(behind) = cause {
        let words = behind.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = behind.source();
    }
    text
}

macro_rules! told_by_their_own_words {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Message(with_causes(&error))
            }
        }
    )*};
}

told_by_their_own_words!(
    Problems,
    StoreError,
    StartError,
    DemoError,
    crate::job::JobError,
    crate::job::ScheduleError,
    telemetry::TelemetryError,
    crate::model::Fault,
    crate::account::AccountError,
    crate::audit::CheckpointParseError,
    crate::db::DbError,
    crate::web::ReportError,
    crate::drill::DrillError,
);

/// The whole program.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("causeway")
        // Copies of large files hold one each for minutes; logins and listings must not wait for them.
        .max_blocking_threads(512)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(Failure::new(format!("the program cannot start: {error}")))),
    };
    let result = runtime.block_on(run(cli));
    // What was abandoned in the file system (a hanging mount) must not keep the program from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    ended(result)
}

#[expect(clippy::print_stderr, reason = "the last line of a failed command")]
fn ended(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::FAILURE,
        Err(Failure::NotVerified | Failure::Partial | Failure::Found) => ExitCode::from(3),
        Err(Failure::Unbelievable(text)) => {
            eprintln!("causeway: {text}");
            ExitCode::from(2)
        }
        Err(Failure::Message(text)) => {
            eprintln!("causeway: {text}");
            ExitCode::FAILURE
        }
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print().is_ok();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ if shown => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let environment = Environment::read();
    let named = cli.config.as_deref();
    match cli.verb {
        Verb::Demo(args) => Box::pin(serve::demo(&args, &config::load(named, &environment)?)).await,
        Verb::Serve => serve::serve(&config::load(named, &environment)?).await,
        Verb::Mirror(args) => {
            let loaded = load(named, &environment)?;
            Box::pin(mirror::run(*args, &loaded, &environment)).await
        }
        Verb::Ls(args) => Box::pin(ls::run(*args, load(named, &environment)?, &environment)).await,
        Verb::Doctor(args) => Box::pin(doctor::run(*args, &load(named, &environment)?, &environment)).await,
        Verb::Stress(args) => Box::pin(stress::run(*args, &load(named, &environment)?, &environment)).await,
        Verb::Survey(args) => Box::pin(survey::run(*args, &load(named, &environment)?, &environment)).await,
        Verb::Drill(args) => {
            let store = Store::open_existing(&load(named, &environment)?.config.data).await?;
            closed(&store, Box::pin(drill::run(*args, &store)).await).await
        }
        Verb::DrillCopy => Box::pin(drill::copy()).await,
        Verb::Job(verb) => {
            let config = load(named, &environment)?.config;
            let store = store(&config).await?;
            closed(&store, job::run(verb, &store, &config, &environment).await).await
        }
        Verb::Run(verb) => {
            let config = load(named, &environment)?.config;
            let store = Store::open_existing(verb.state().unwrap_or(&config.data)).await?;
            closed(&store, runs::run(verb, &store).await).await
        }
        Verb::Manifest(ManifestVerb::Verify(args)) => manifest::verify(args).await,
        Verb::Manifest(ManifestVerb::Diff(args)) => manifest::diff(args).await,
        Verb::Manifest(ManifestVerb::Kept(verb)) => {
            let config = load(named, &environment)?.config;
            let store = Store::open_existing(verb.store().state.as_deref().unwrap_or(&config.data)).await?;
            closed(&store, manifest::run(verb, &store).await).await
        }
        Verb::Report(args) => {
            let config = load(named, &environment)?.config;
            let store = Store::open_existing(&config.data).await?;
            closed(&store, report::run(args, &config, &store).await).await
        }
        Verb::Check(args) => check::run(&args, &config::inspect(named, &environment)).await,
        Verb::Account(verb) => {
            account::run(verb, &store(&load(named, &environment)?.config).await?, &environment).await
        }
        Verb::Ca(verb) => {
            let store = store(&load(named, &environment)?.config).await?;
            closed(&store, ca::run(verb, &store).await).await
        }
        Verb::HostKey(verb) => {
            let store = store(&load(named, &environment)?.config).await?;
            closed(&store, rotation::run(verb, &store).await).await
        }
        Verb::Audit(verb) => {
            let store = Store::open_existing(&load(named, &environment)?.config.data).await?;
            closed(&store, audit::run(verb, &store).await).await
        }
    }
}

fn load(named: Option<&std::path::Path>, environment: &Environment) -> Result<Loaded, Failure> {
    let loaded = config::load(named, environment)?;
    // A command says what it did on its own; the log is for what nobody asked about.
    let quiet = config::Log { filter: "warn".to_owned(), format: loaded.config.log.format };
    telemetry::start(&quiet)?;
    Ok(loaded)
}

async fn store(config: &Config) -> Result<Store, Failure> {
    Ok(Store::open(config).await?)
}

/// Closes the database in good order, also after a failure.
async fn closed(store: &Store, result: Result<(), Failure>) -> Result<(), Failure> {
    store.db.close().await;
    result
}
