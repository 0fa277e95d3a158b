//! What can be done on a running endpoint: by this process, or for a client of the control socket.

use std::time::Duration;

use mesh::{Hashname, Link, LinkState, LinkTarget, WaitError};
use serde::{Deserialize, Serialize};

use crate::args;
use crate::command::{
    bench, boxes, discover, invite, link, links, netcheck, ping, proxy, recv, send, serve, status,
};
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::forward;
use crate::report::Report;
use crate::target;

/// What an endpoint is asked to do. Targets are texts that need no file of whoever asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    Status,
    Links(Option<args::LinksAction>),
    Invite(args::Invite),
    Invites(args::InvitesAction),
    Share(args::ShareArgs),
    Discover(args::Discover),
    Netcheck(args::Netcheck),
    Link(args::LinkArgs),
    Ping(args::Ping),
    Pipe(args::PipeEnd),
    Send(args::SendFiles),
    Recv(args::RecvInto),
    BoxPut(args::BoxPut),
    BoxGet(args::Letters),
    Serve(args::Site),
    Proxy(args::Proxy),
    Forward(args::Forward),
    Bench(args::Bench),
    Chat(args::Talk),
}

/// Does it, reporting as it goes. A pipe is not done here, since it needs more than a report.
pub(crate) async fn perform(endpoint: &Endpoint, request: Request, report: &mut Report) -> Outcome {
    match request {
        Request::Status => status::perform(endpoint, report).await,
        Request::Links(None) => links::list(endpoint.known(), report).await,
        Request::Links(Some(action)) => report.report(endpoint.change_links(action)?).await,
        Request::Invite(options) => invite::perform(endpoint, options, report).await,
        Request::Invites(action) => {
            invite::change(endpoint.known(), Some(&endpoint.mesh), action, report).await
        }
        Request::Share(options) => invite::share(endpoint, options, report).await,
        Request::Discover(options) => discover::perform(endpoint, &options, report).await,
        Request::Netcheck(options) => netcheck::perform(endpoint, &options, report).await,
        Request::Link(options) => link::perform(endpoint, &options, report).await,
        Request::Ping(options) => ping::perform(endpoint, &options, report).await,
        Request::Bench(options) => bench::perform(endpoint, &options, report).await,
        Request::Send(options) => send::perform(endpoint, &options, report).await,
        Request::Recv(into) => recv::perform(endpoint, &into, report).await,
        Request::BoxPut(options) => boxes::put::perform(endpoint, &options, report).await,
        Request::BoxGet(from) => boxes::get::perform(endpoint, &from, report).await,
        Request::Serve(site) => serve::perform(endpoint, &site, report).await,
        Request::Proxy(options) => proxy::perform(endpoint, &options, report).await,
        Request::Forward(options) => forward::perform(endpoint, &options, report).await,
        Request::Pipe(_) | Request::Chat(_) => Err(Failure::usage("that takes an input, too")),
    }
}

/// Links to the target, and waits until the link is up. One that does not come up is given up again.
pub(crate) async fn link_up(endpoint: &Endpoint, target: &str, wait: Duration) -> Outcome<Link> {
    link_up_to(endpoint, target::parse(target)?, wait).await
}

/// The same, to a target that was read already.
pub(crate) async fn link_up_to(
    endpoint: &Endpoint,
    target: LinkTarget,
    wait: Duration,
) -> Outcome<Link> {
    let is_invited = is_invited(&target);
    let before = endpoint.mesh.links();
    let link = endpoint.mesh.link(target).await?;
    let attempt = Attempt {
        new: !before.contains(&link),
        link,
    };
    let up = attempt.link.wait_up(wait).await;
    up.map_err(|error| unanswered(&error, is_invited, endpoint.hashname()))?;
    Ok(attempt.succeeded())
}

/// Whether the target lets us in by itself.
pub(crate) fn is_invited(target: &LinkTarget) -> bool {
    matches!(target, LinkTarget::Uri { uri, .. } if uri.invite().is_some())
}

/// Why a link did not come up, and what to try.
pub(crate) fn unanswered(error: &WaitError, is_invited: bool, own: Hashname) -> Failure {
    match is_invited {
        true => {
            no_answer(error).hint("an invite is good once, and not for ever: ask for a new one")
        }
        false => no_answer(error).hint(let_us_in(own)),
    }
}

/// A link that may not come up.
struct Attempt {
    link: Link,
    new: bool,
}

impl Attempt {
    fn succeeded(mut self) -> Link {
        self.new = false;
        self.link.clone()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.new {
            self.link.close();
        }
    }
}

fn no_answer(error: &WaitError) -> Failure {
    let WaitError::TimedOut { hashname, waited } = error else {
        return Failure::unreachable(error);
    };
    let (hashname, waited) = (hashname.short(), waited.as_secs_f32());
    Failure::unreachable(format_args!("no answer from {hashname} within {waited} s"))
}

fn let_us_in(own: Hashname) -> String {
    format!(
        "an endpoint stays silent to whom it does not know: there, try `mesh invite`, `mesh links trust {own}` or `mesh up --allow {own}`"
    )
}

/// A state, in one word.
pub(crate) fn state_word(state: LinkState) -> &'static str {
    match state {
        LinkState::Unresolved => "unresolved",
        LinkState::Down => "down",
        LinkState::Up => "up",
    }
}
