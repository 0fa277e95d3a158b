//! Leaving, once what was said has reached those who are there.

use std::collections::HashSet;
use std::time::Duration;

use mesh::Hashname;
use mesh::chat::{Entry, Id};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Session;
use crate::chat::input::Input;
use crate::chat::people::name;
use crate::chat::text::line_name;
use crate::failure::{Failure, Outcome};
use crate::record::Record;

/// How long those who are there may take to say that they have everything, when we want to leave.
const DELIVERY: Duration = Duration::from_secs(10);

/// How long, of that, to wait for those who are not there: they may be on their way.
const ABSENCE: Duration = Duration::from_secs(5);

impl Session<'_> {
    /// Waits until what was said has reached those who are there. Whoever wants to leave once more does so at once.
    pub(super) async fn leave(mut self, inputs: &mut mpsc::Receiver<Input>) -> Outcome {
        let start = Instant::now();
        let (mut pings, mut silent) = (self.ping(), HashSet::new());
        loop {
            let Some(said) = self.said else {
                return Ok(());
            };
            let (absence, delivery) = (start + ABSENCE, start + DELIVERY);
            let state = self.delivered(said, &silent);
            let has_waited = Instant::now() >= absence;
            match (state.there.is_empty(), state.absent, has_waited) {
                (true, 0, _) | (true, _, true) => return self.left(&state).await,
                _ => {}
            }
            let until = if has_waited { delivery } else { absence };
            tokio::select! {
                event = self.events.recv() => self.heard(event).await?,
                Some(ping) = pings.join_next() => silent.extend(ping.ok().flatten()),
                input = inputs.recv() => match input {
                    None | Some(Input::End) => return Ok(()),
                    Some(input) => {
                        self.take(input).await?;
                    }
                },
                () = sleep_until(until) => {
                    if Instant::now() >= delivery {
                        return self.undelivered(&state).await;
                    }
                }
            }
        }
    }

    /// Looks whether those are there who seem to be: of one who was killed we may not know it yet. Each task says who
    /// did not answer.
    fn ping(&self) -> JoinSet<Option<Hashname>> {
        let mut pings = JoinSet::new();
        if self.said.is_none() {
            return pings;
        }
        for who in self.chat.present() {
            let link = self.endpoint.mesh.get(&who);
            pings.spawn(async move {
                let answers = match link {
                    Some(link) => link.ping().await.is_ok(),
                    None => false,
                };
                (!answers).then_some(who)
            });
        }
        pings
    }

    fn delivered(&self, said: Id, silent: &HashSet<Hashname>) -> Delivery {
        let present = self.chat.present();
        let room = self.chat.room();
        let confirmed: Vec<Hashname> = { room.message(said).into_iter() }
            .flat_map(Entry::receipts)
            .map(|(who, _)| *who)
            .collect();
        let mut delivery = Delivery::default();
        for one in room
            .participants()
            .iter()
            .filter(|one| one.who() != room.me())
        {
            let who = one.who();
            let is_there = present.contains(&who) && !silent.contains(&who);
            match (confirmed.contains(&who), is_there) {
                (true, _) => delivery.confirmed += 1,
                (false, true) => delivery.there.push(line_name(&name(&room, &who))),
                (false, false) => delivery.absent += 1,
            }
        }
        delivery
    }

    async fn left(mut self, state: &Delivery) -> Outcome {
        let count = state.confirmed;
        if count > 0 {
            self.report.report(Record::Delivered { count }).await?;
        }
        match (count, self.opened.lasts) {
            (0, false) => Err(Failure::unreachable("nobody else was there, and nothing was kept")
                .hint("leave --id out: then what is said is kept until they are there")),
            (0, true) => self.warn(
                "nobody else was there; what you said is kept, and reaches them when you are here together".to_owned(),
            ).await,
            _ => Ok(()),
        }
    }

    async fn undelivered(mut self, state: &Delivery) -> Outcome {
        let (names, seconds) = (state.there.join(", "), DELIVERY.as_secs());
        let what = format!("no word within {seconds} s that what you said has reached {names}");
        match self.opened.lasts {
            true => {
                self.warn(format!(
                    "{what}; it is kept, and reaches them when you are here together"
                ))
                .await
            }
            false => Err(Failure::unreachable(what)
                .hint("leave --id out: then what is said is kept until they have it")),
        }
    }
}

/// Whom what was said has reached.
#[derive(Debug, Default)]
struct Delivery {
    confirmed: usize,
    /// The names of those who are there and did not say so.
    there: Vec<String>,
    absent: usize,
}
