//! Sending letters.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use telehash_hashname::{Hashname, KeySet};
use telehash_runtime::{Link, Open, Packet};
use tokio::time::timeout;

use super::Mailbox;
use crate::error::BoxError;
use crate::id::{BoxId, MessageId};
use crate::letter::SealError;
use crate::limits::{DELIVERY_TIMEOUT, MAX_CACHES};
use crate::outgoing::packets;
use crate::wire::{self, Ask, OUTBOX};

/// How a letter is to travel.
#[derive(Clone, Debug, Default)]
pub struct SendOptions {
    caches: Vec<Link>,
    keep: Option<Duration>,
}

impl SendOptions {
    /// To the recipient alone, if it is there.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with one more cache to keep the letter if the recipient is not there. Only the first
    /// [`MAX_CACHES`] are used.
    #[must_use]
    pub fn cache(mut self, cache: &Link) -> Self {
        self.caches.push(cache.clone());
        self
    }

    /// The same, to be kept for so long at most, in whole seconds. A cache may keep it for less.
    #[must_use]
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep = Some(age);
        self
    }
}

/// Where a letter went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Its name, to [take it back](Mailbox::take_back).
    pub id: MessageId,
    /// The recipient has it. Otherwise it is at the `caches`.
    pub direct: bool,
    /// These took it. Whether they had room for it they do not tell.
    pub caches: Vec<Hashname>,
    /// These were asked before or beside them and did not take it, and why.
    pub refused: Vec<(Hashname, String)>,
}

impl Mailbox {
    /// Seals a letter for whoever has these keys and delivers it: to the recipient if there is a link
    /// that is up and it takes the letter [in time](DELIVERY_TIMEOUT), else to all caches. The
    /// recipient takes it once, however many ways it comes.
    ///
    /// # Errors
    /// The letter cannot be sealed, or neither the recipient nor any cache took it: what went wrong at
    /// the last one.
    pub async fn send(
        &self,
        to: &KeySet,
        body: impl AsRef<[u8]> + Send,
        options: &SendOptions,
    ) -> Result<Sent, BoxError> {
        let message = self.sealer.seal(to, body.as_ref())?;
        let no_keys = telehash_e3x::message::Error::NoCommonSet;
        let to = to.hashname().ok_or(SealError::Message(no_keys))?;
        let id = MessageId::new(&BoxId::new(&self.mesh.hashname(), &to), &message);
        let (mut failure, mut refused) = (BoxError::NowhereToPut, Vec::new());
        if let Some(link) = self.mesh.get(&to).filter(Link::is_up) {
            match deliver(&link, &to, &message, None).await {
                Ok(()) => {
                    return Ok(Sent {
                        id,
                        direct: true,
                        caches: Vec::new(),
                        refused,
                    });
                }
                Err(error) => {
                    refused.push((to, error.to_string()));
                    failure = error;
                }
            }
        }
        let caches = options.caches.iter().take(MAX_CACHES);
        let deliveries = caches.map(|cache| deliver(cache, &to, &message, options.keep));
        let mut caches = Vec::new();
        for (cache, delivered) in options.caches.iter().zip(join_all(deliveries).await) {
            match delivered {
                Ok(()) => caches.push(cache.hashname()),
                Err(error) => {
                    refused.push((cache.hashname(), error.to_string()));
                    failure = error;
                }
            }
        }
        if caches.is_empty() {
            return Err(failure);
        }
        Ok(Sent {
            id,
            direct: false,
            caches,
            refused,
        })
    }

    /// Has a cache drop a letter to this recipient, if it has it still.
    ///
    /// # Errors
    /// The cache was not reached.
    pub async fn take_back(
        &self,
        to: &Hashname,
        id: MessageId,
        cache: &Link,
    ) -> Result<(), BoxError> {
        let ask = Ask {
            remove: Some(id),
            ..Ask::default()
        };
        let packet = Packet::default().head(ask.to_head());
        outbox(cache, to, |_| std::iter::once(packet)).await
    }
}

async fn deliver(
    link: &Link,
    to: &Hashname,
    message: &Bytes,
    keep: Option<Duration>,
) -> Result<(), BoxError> {
    outbox(link, to, |quota| packets(message, quota, keep)).await
}

/// Opens an outbox, sends these packets, and waits until the peer has ended it, too: it has taken
/// everything.
async fn outbox<P: Iterator<Item = Packet> + Send>(
    link: &Link,
    to: &Hashname,
    packets: impl FnOnce(usize) -> P + Send,
) -> Result<(), BoxError> {
    let open = Open::reliable(OUTBOX).head(wire::outbox(to));
    let mut channel = in_time(link.open(open)).await?;
    let packets = packets(channel.quota());
    for packet in packets {
        in_time(channel.send(packet)).await?;
    }
    channel.end()?;
    in_time(channel.closed()).await
}

/// Each step has this long: a slow link takes long for a letter, and is no silent one.
async fn in_time<T, E: Into<BoxError>>(
    step: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, BoxError> {
    let done = timeout(DELIVERY_TIMEOUT, step).await;
    done.map_err(|_| BoxError::Timeout)?.map_err(Into::into)
}
