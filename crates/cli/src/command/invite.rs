//! `mesh invite`: a line that lets somebody in; `mesh uri list` and `revoke`: those that are open.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh::state::{KnownLinks, StateDir, StateError};
use mesh::{InviteOptions, LinkUri};

use crate::args::{Global, Invite, InvitesAction};
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
    let state = state_of(global, "invite")?;
    #[cfg(unix)]
    if let Some(client) = Client::connect(&state).await {
        return client.perform(&Request::Invite(options), report).await;
    }
    let _ = (options, report);
    let what = format_args!(
        "no endpoint runs with the state directory {}, so nobody could link to it",
        state.display()
    )
    .to_string();
    Err(Failure::failed(what).hint("`mesh up` runs one, and prints an invite"))
}

/// Issues one.
pub(crate) async fn perform(endpoint: &Endpoint, options: Invite, report: &mut Report) -> Outcome {
    let Invite {
        uses,
        expires,
        alias,
        qr: drawn,
        ..
    } = options;
    let mut terms = InviteOptions::new().lifetime(expires).uses(uses);
    if let Some(alias) = &alias {
        terms = terms.alias(alias);
    }
    let uri = endpoint.mesh.invite(terms)?;
    let record = InviteRecord {
        handle: uri
            .invite()
            .map(|secret| secret.handle())
            .unwrap_or_default(),
        uri: Some(uri.to_string()),
        expires_in: Some(expires.as_secs()),
        uses: Some(uses),
        alias,
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
            change(&known, action, report).await?;
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
    action: InvitesAction,
    report: &mut Report,
) -> Outcome {
    let handle = match action {
        InvitesAction::List => return list(known, report).await,
        InvitesAction::Revoke { all: true, .. } => String::new(),
        InvitesAction::Revoke { invite, .. } => handle(&invite.unwrap_or_default())?,
    };
    match known.revoke_invites(&handle) {
        0 if !handle.is_empty() => Err(Failure::failed("there is no such invite: it may be spent")
            .hint("`mesh uri list` lists those that are open")),
        count => report.report(Record::Revoked { count }).await,
    }
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
            qr: None,
        };
        report.report(Record::Invite(record)).await?;
    }
    Ok(())
}

/// What the secret begins with: given, or in a whole invite.
fn handle(text: &str) -> Outcome<String> {
    if let Some(secret) = LinkUri::parse(text).ok().and_then(|uri| uri.uri.invite()) {
        return Ok(secret.to_text());
    }
    let is_handle = |c: char| c.is_ascii_lowercase() || ('2'..='7').contains(&c);
    match text.len() >= MIN_HANDLE && text.chars().all(is_handle) {
        true => Ok(text.to_owned()),
        false => Err(Failure::usage(format_args!("`{text}` names no invite"))
            .hint("give the invite itself, or what `mesh uri list` shows first")),
    }
}
