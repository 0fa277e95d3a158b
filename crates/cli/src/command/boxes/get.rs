//! `mesh box get`: takes our letters, one after the other, each once it is written out.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::future::join_all;
use mesh::boxes::{Arrived, BoxError, Mailbox, MailboxOptions};
use mesh::{ChannelError, Hashname, Link};

use super::{Late, expand, not_a_mailbox, reach, written};
use crate::access::Access;
use crate::args::{BoxGet, Global, Letters};
use crate::endpoint::Endpoint;
use crate::failure::{Code, Failure, Outcome};
use crate::operation::Request;
use crate::record::{LetterRecord, Record};
use crate::report::Report;

/// How long to stay after the last removal, which may have been lost: the cache asks for it again.
const LAST_ACK: Duration = Duration::from_millis(100);

pub(crate) async fn run(global: &Global, options: BoxGet, report: &mut Report) -> Outcome {
    let BoxGet { mut from, at } = options;
    expand(&mut from.via)?;
    if let Some(dir) = &mut from.dir {
        // A running endpoint has another working directory.
        let absolute = std::path::absolute(&*dir);
        *dir = absolute.map_err(|error| Failure::usage(format_args!("no folder: {error}")))?;
        written::check(dir)?;
    }
    let follow = from.follow;
    let access = Access::open(global, &at.listening(follow)).await?;
    #[cfg(unix)]
    if matches!(access, Access::Running(_)) {
        at.refuse_for_running()?;
    }
    match access.perform(Request::BoxGet(from), report).await {
        // There is no other way for it to end well.
        Err(failure) if follow && failure.code == Code::Interrupted => Ok(()),
        outcome => outcome,
    }
}

pub(crate) async fn perform(endpoint: &Endpoint, from: &Letters, report: &mut Report) -> Outcome {
    let Ok(_only) = endpoint.letters.try_lock() else {
        return Err(
            Failure::failed("somebody takes the letters of this endpoint already")
                .hint("end that `mesh box get` first"),
        );
    };
    let mailbox = endpoint.mailbox(MailboxOptions::new())?;
    if from.follow {
        report.report(endpoint.ready(from.qr)?).await?;
    }
    let caches = caches(endpoint, from, report).await?;
    let mut taking = Taking {
        endpoint,
        from,
        report,
        count: 0,
    };
    let fetched = taking.fetch(&mailbox, caches.values()).await?;
    let (mut asked, mut failures) = (0, Vec::new());
    for (cache, fetched) in caches.keys().zip(fetched) {
        match fetched {
            Ok(_) => asked += 1,
            // Not everybody who is linked keeps letters.
            Err(BoxError::Channel(ChannelError::Peer(_))) if from.via.is_empty() => {}
            Err(error) => failures.push(no_letters_of(cache, &error)),
        }
    }
    if asked == 0
        && !from.follow
        && let Some(failure) = failures.pop()
    {
        return Err(failure);
    }
    for failure in failures {
        let message = failure.to_string();
        taking.report.report(Record::Warning { message }).await?;
    }
    if let Some(message) = left_there(mailbox.refused()) {
        taking.report.report(Record::Warning { message }).await?;
    }
    if from.follow {
        return taking.follow(&mailbox).await;
    }
    let count = taking.count;
    if asked == 0 && count == 0 && endpoint.cache().is_none() {
        return Err(nobody());
    }
    report.report(Record::Letters { count }).await?;
    if count > 0 {
        tokio::time::sleep(LAST_ACK).await;
    }
    Ok(())
}

/// Whom to ask: those that are named, or whoever is linked.
async fn caches(
    endpoint: &Endpoint,
    from: &Letters,
    report: &mut Report,
) -> Outcome<BTreeMap<Hashname, Link>> {
    let late = match from.follow {
        true => Late::Kept,
        false => Late::GivenUp,
    };
    let mut caches = reach(endpoint, &from.via, from.wait, late, report).await?;
    if from.via.is_empty() {
        let up = endpoint.mesh.links().into_iter().filter(Link::is_up);
        caches.extend(up.map(|link| (link.hashname(), link)));
    }
    Ok(caches)
}

/// Takes letters.
struct Taking<'a> {
    endpoint: &'a Endpoint,
    from: &'a Letters,
    report: &'a mut Report,
    count: u64,
}

impl Taking<'_> {
    /// Takes what these caches have, and what our own has; how it went at each.
    async fn fetch(
        &mut self,
        mailbox: &Mailbox,
        caches: impl Iterator<Item = &Link>,
    ) -> Outcome<Vec<Result<usize, BoxError>>> {
        let fetching = caches.map(|cache| mailbox.fetch(cache));
        let mut fetching = pin!(async {
            let fetched = join_all(fetching).await;
            // Others may have something for us, too, and may never end.
            mailbox.handed_over().await;
            fetched
        });
        loop {
            tokio::select! {
                biased;
                arrived = mailbox.next() => self.take(arrived).await?,
                fetched = &mut fetching => return Ok(fetched),
            }
        }
    }

    /// Takes what comes, for ever.
    async fn follow(&mut self, mailbox: &Mailbox) -> Outcome {
        loop {
            let arrived = mailbox.next().await;
            self.take(arrived).await?;
        }
    }

    async fn take(&mut self, arrived: Option<Arrived>) -> Outcome {
        let arrived = arrived.ok_or_else(|| Failure::failed("the endpoint was closed"))?;
        let letter = arrived.letter();
        let alias = self.endpoint.known().get(&letter.from);
        let alias = alias.and_then(|known| known.alias);
        let mut record = LetterRecord::new(letter, alias);
        match &self.from.dir {
            Some(dir) => record.file = Some(written::write(dir, letter).await?),
            None => record.contents(&letter.body),
        }
        // From here on it exists a second time: it may leave the cache.
        self.report.deliver(Record::Letter(record)).await?;
        arrived.take().await.map_err(not_a_mailbox)?;
        self.count += 1;
        Ok(())
    }
}

/// What there is to say of letters that were not taken.
fn left_there(refused: u64) -> Option<String> {
    (refused > 0).then(|| {
        format!(
            "{refused} letters were left where they are, for the time at which they say that they were sent: it is more than \
             an hour ahead of the clock here, or so long ago that they may have come before; are both clocks right?"
        )
    })
}

fn no_letters_of(cache: &Hashname, error: &BoxError) -> Failure {
    let what = format!("no letters from {}: {error}", cache.short());
    match error {
        BoxError::Channel(ChannelError::Peer(_)) => {
            Failure::new(Code::Refused, what).hint("there, run `mesh up --box`")
        }
        _ => Failure::unreachable(what).hint("try again: what was not taken is there still"),
    }
}

fn nobody() -> Failure {
    Failure::unreachable("no cache was reached that may have letters for us")
        .hint("--via names one, as whoever writes to us does; there, run `mesh up --box`")
}
