//! `mesh invite`: a line that lets somebody in; `mesh uri list` and `revoke`: those that are open.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh::state::{KnownLinks, StateDir, StateError};
use mesh::{Hashname, InviteOptions, LinkUri, Mesh, RouterSession, UriSecret as Secret};

use crate::args::{Global, Invite, InvitesAction, ShareArgs};
use crate::command::{qr, state_of};
#[cfg(unix)]
use crate::control::Client;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, Outcome};
use crate::operation::Request;
use crate::record::{InviteRecord, Record};
use crate::report::Report;

/// Fewest characters that name an invite to be revoked.
const MIN_HANDLE: usize = 4;

/// Has the running endpoint issue one: nobody else could be linked to with it.
pub(crate) async fn run(global: &Global, options: Invite, report: &mut Report) -> Outcome {
    ask_running(global, "invite", Request::Invite(options), report).await
}

/// Has the running endpoint share a URI that leads through a router.
pub(crate) async fn run_share(global: &Global, options: ShareArgs, report: &mut Report) -> Outcome {
    ask_running(global, "uri", Request::Share(options), report).await
}

async fn ask_running(
    global: &Global,
    command: &str,
    request: Request,
    report: &mut Report,
) -> Outcome {
    let state = state_of(global, command)?;
    #[cfg(unix)]
    if let Some(client) = Client::connect(&state).await {
        return client.perform(&request, report).await;
    }
    let _ = (request, report);
    let what = format_args!(
        "no endpoint runs with the state directory {}, so nobody could link to it",
        state.display()
    )
    .to_string();
    Err(Failure::failed(what).hint("`mesh up` runs one, and prints an invite"))
}

/// Issues one.
pub(crate) async fn perform(endpoint: &Endpoint, options: Invite, report: &mut Report) -> Outcome {
    let uri = endpoint.mesh.invite(terms(&options))?;
    let handle = uri.invite().map(|secret| secret.handle());
    given_out(&uri, handle, options, None, report).await
}

/// Shares a URI that leads through a router.
pub(crate) async fn share(endpoint: &Endpoint, options: ShareArgs, report: &mut Report) -> Outcome {
    let ShareArgs { terms: given, via } = options;
    let via = match via {
        Some(name) => Some(match name.parse::<Hashname>() {
            Ok(hashname) => hashname,
            Err(_) => endpoint.known().find(&name)?,
        }),
        None => None,
    };
    let uri = endpoint.mesh.share_uri(terms(&given), via.as_ref())?;
    let through = uri.hashname().map(|router| router.to_string());
    given_out(
        &uri,
        custom_of(&uri).map(|secret| secret.handle()),
        given,
        through,
        report,
    )
    .await
}

fn terms(options: &Invite) -> InviteOptions {
    let terms = InviteOptions::new()
        .lifetime(options.expires)
        .uses(options.uses);
    match &options.alias {
        Some(alias) => terms.alias(alias),
        None => terms,
    }
}

/// The custom part of a shared URI, if it is one of ours.
fn custom_of(uri: &LinkUri) -> Option<Secret> {
    let fragment = uri.share().ok()??;
    Some(Secret::from_bytes(fragment.custom()?.try_into().ok()?))
}

async fn given_out(
    uri: &LinkUri,
    handle: Option<String>,
    options: Invite,
    through: Option<String>,
    report: &mut Report,
) -> Outcome {
    let Invite {
        uses,
        expires,
        alias,
        qr: drawn,
        ..
    } = options;
    let record = InviteRecord {
        handle: handle.unwrap_or_default(),
        uri: Some(uri.to_string()),
        expires_in: Some(expires.as_secs()),
        uses: Some(uses),
        alias,
        through,
        qr: drawn.then(|| qr(&uri.to_string())).transpose()?,
    };
    report.report(Record::Invite(record)).await
}

/// Works on the invites of the running endpoint, or of a state directory that nobody uses.
pub(crate) async fn open_ones(
    global: &Global,
    action: InvitesAction,
    report: &mut Report,
) -> Outcome {
    let directory = state_of(global, "uri")?;
    match StateDir::open(&directory) {
        Ok(state) => {
            let known = state.known_links()?;
            change(&known, None, action, report).await?;
            Ok(state.save_links(&known)?)
        }
        #[cfg(unix)]
        Err(error @ StateError::Locked { .. }) => match Client::connect(&directory).await {
            Some(client) => client.perform(&Request::Invites(action), report).await,
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Lists or revokes.
pub(crate) async fn change(
    known: &KnownLinks,
    router: Option<&Mesh>,
    action: InvitesAction,
    report: &mut Report,
) -> Outcome {
    let handle = match action {
        InvitesAction::List => {
            list(known, report).await?;
            return list_sessions(router, report).await;
        }
        InvitesAction::Revoke { all: true, .. } => String::new(),
        InvitesAction::Revoke { invite, .. } => handle(&invite.unwrap_or_default())?,
    };
    match known.revoke_invites(&handle) + revoke_sessions(router, &handle) {
        0 if !handle.is_empty() => Err(Failure::failed("there is no such invite: it may be spent")
            .hint("`mesh uri list` lists those that are open")),
        count => report.report(Record::Revoked { count }).await,
    }
}

/// Revokes the sessions that begin with `handle`; how many there were.
fn revoke_sessions(router: Option<&Mesh>, handle: &str) -> usize {
    let Some(mesh) = router else {
        return 0;
    };
    let sessions = mesh.router_sessions().into_iter();
    let named = |session: &RouterSession| {
        let known = session.handle.as_str();
        known.starts_with(handle) || handle.starts_with(known)
    };
    let revoked = sessions.filter(named);
    revoked
        .filter(|session| mesh.revoke_session(&session.hashname))
        .count()
}

async fn list_sessions(router: Option<&Mesh>, report: &mut Report) -> Outcome {
    for session in router.map(Mesh::router_sessions).unwrap_or_default() {
        let record = Record::Session {
            handle: session.handle,
            hashname: session.hashname.to_string(),
        };
        report.report(record).await?;
    }
    Ok(())
}

async fn list(known: &KnownLinks, report: &mut Report) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or(Duration::ZERO).as_secs();
    for invite in known.invites(now) {
        let record = InviteRecord {
            handle: invite.handle,
            uri: None,
            expires_in: invite.expires.map(|expires| expires.saturating_sub(now)),
            uses: invite.uses,
            alias: invite.alias,
            through: invite.through.map(|router| router.to_string()),
            qr: None,
        };
        report.report(Record::Invite(record)).await?;
    }
    Ok(())
}

/// What the secret begins with: given, or in a whole invite.
fn handle(text: &str) -> Outcome<String> {
    if let Ok(parsed) = LinkUri::parse(text) {
        let secret = parsed.uri.invite().or_else(|| custom_of(&parsed.uri));
        if let Some(secret) = secret.or_else(|| parsed.uri.session()) {
            return Ok(secret.to_text());
        }
    }
    let is_handle = |c: char| c.is_ascii_lowercase() || ('2'..='7').contains(&c);
    match text.len() >= MIN_HANDLE && text.chars().all(is_handle) {
        true => Ok(text.to_owned()),
        false => Err(Failure::usage(format_args!("`{text}` names no invite"))
            .hint("give the invite itself, or what `mesh uri list` shows first")),
    }
}
