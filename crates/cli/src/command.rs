//! The commands.

pub(crate) mod bench;
pub(crate) mod boxes;
mod chat;
mod completions;
mod demo;
pub(crate) mod discover;
mod forward;
mod get;
pub(crate) mod id;
pub(crate) mod invite;
pub(crate) mod link;
pub(crate) mod links;
pub(crate) mod netcheck;
pub(crate) mod ping;
pub(crate) mod pipe;
pub(crate) mod proxy;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod status;
mod up;
mod uri;

use mesh::state::{StateDir, StateError};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::access::{Access, state_dir};
use crate::args::{Cli, Command, Global, LinksAction};
#[cfg(unix)]
use crate::control::Client;
use crate::endpoint::Listening;
use crate::failure::{Failure, Outcome};
use crate::operation::Request;
use crate::report::Report;
use crate::signal::interruptible;
use crate::target;

/// Runs the command. Those with an endpoint of their own see to it that it is closed when a signal ends them.
pub(crate) async fn run(cli: Cli) -> Outcome {
    let Cli { global, command } = cli;
    let report = &mut Report::stdout(global.json);
    let global = &global;
    match command {
        Command::Demo(options) => interruptible(demo::run(&options, report)).await,
        Command::Id(command) => id::run(global, command, report).await,
        Command::Up(options) => up::run(global, options, report).await,
        Command::Status => status(global, report).await,
        Command::Links(options) => links(global, options.action, report).await,
        Command::Invite(options) => invite::run(global, options, report).await,
        Command::Discover(options) => {
            let request = Request::Discover(options);
            let access = Access::open(global, &Listening::discovering()).await?;
            access.perform(request, report).await
        }
        Command::Netcheck(options) => work(global, Request::Netcheck(options), report).await,
        Command::Link(mut options) => {
            options.target = target::expand(&options.target)?;
            let via = options.via.iter().map(|router| target::expand(router));
            options.via = via.collect::<Outcome<_>>()?;
            work(global, Request::Link(options), report).await
        }
        Command::Ping(mut options) => {
            options.target = target::expand(&options.target)?;
            work(global, Request::Ping(options), report).await
        }
        Command::Pipe(options) => pipe::run(global, options).await,
        Command::Send(mut options) => {
            options.target = target::expand(&options.target)?;
            send::absolute(&mut options)?;
            work(global, Request::Send(options), report).await
        }
        Command::Recv(options) => recv::run(global, options, report).await,
        Command::Box(command) => boxes::run(global, command, report).await,
        Command::Serve(options) => serve::run(global, options, report).await,
        Command::Proxy(options) => proxy::run(global, options, report).await,
        Command::Get(options) => get::run(global, &options).await,
        Command::Forward(options) => forward::run(global, options, report).await,
        Command::Chat(options) => chat::run(global, options).await,
        Command::Uri(command) => uri::run(global, command, report).await,
        Command::Bench(mut options) => {
            let Some(target) = &options.target else {
                return interruptible(bench::alone(&options, report)).await;
            };
            options.target = Some(target::expand(target)?);
            work(global, Request::Bench(options), report).await
        }
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Works on the running endpoint, or on one of our own.
async fn work(global: &Global, request: Request, report: &mut Report) -> Outcome {
    Access::open(global, &Listening::dialing())
        .await?
        .perform(request, report)
        .await
}

async fn status(global: &Global, report: &mut Report) -> Outcome {
    let state = state_of(global, "status")?;
    #[cfg(unix)]
    if let Some(client) = Client::connect(&state).await {
        return client.perform(&Request::Status, report).await;
    }
    let what = format_args!(
        "no endpoint runs with the state directory {}",
        state.display()
    )
    .to_string();
    Err(Failure::failed(what).hint("`mesh up` runs one"))
}

async fn links(global: &Global, mut action: Option<LinksAction>, report: &mut Report) -> Outcome {
    let directory = state_of(global, "links")?;
    if let Some(LinksAction::Add { target, .. }) = &mut action {
        *target = target::expand(target)?;
    }
    match StateDir::open(&directory) {
        Ok(state) => links::run(&state, action, report).await,
        #[cfg(unix)]
        Err(error @ StateError::Locked { .. }) => match Client::connect(&directory).await {
            Some(client) => client.perform(&Request::Links(action), report).await,
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// A QR code. Bright modules are drawn, dark ones left out: right on a dark terminal, and readers take it inverted as
/// well.
pub(crate) fn qr(text: &str) -> Outcome<String> {
    let code = QrCode::new(text)
        .map_err(|error| Failure::failed(format_args!("the URI makes no QR code: {error}")))?;
    let mut image = code.render::<Dense1x2>();
    image
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark);
    Ok(image.build())
}

/// The state directory, for commands that an identity file is not enough for.
fn state_of(global: &Global, command: &str) -> Outcome<std::path::PathBuf> {
    match &global.id {
        Some(_) => Err(Failure::usage(format_args!(
            "`mesh {command}` is about a state directory, which --id does without"
        ))
        .hint("leave --id out, or name a directory with --state")),
        None => state_dir(global),
    }
}
