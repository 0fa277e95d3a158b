//! Caches and senders that do what no honest one does.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};
use telehash_channel_box::limits::MAX_FORGED;
use telehash_channel_box::{BoxId, MessageId, SendOptions};
use telehash_e3x::Identity;
use telehash_hashname::{Csid, base32};
use telehash_runtime::{Accept, ChannelError, HandlerError, IncomingChannel, Mesh, Open, Packet};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::mpsc;

use crate::common::{Person, identity, within};

/// A cache that hands out whatever it is told to.
pub(crate) struct Liar {
    pub(crate) mesh: Mesh,
    /// What senders put here.
    pub(crate) taken: mpsc::Receiver<Bytes>,
    /// What recipients asked for.
    pub(crate) asked: mpsc::Receiver<Map<String, Value>>,
    content: Arc<Mutex<Content>>,
}

#[derive(Clone, Default)]
struct Content {
    messages: Vec<Bytes>,
    /// About these boxes nothing is said.
    silent: Vec<BoxId>,
}

impl Liar {
    pub(crate) async fn new(network: &MemoryNetwork) -> Self {
        let (take, taken) = mpsc::channel(16);
        let (ask, asked) = mpsc::channel(1024);
        let content = Arc::new(Mutex::new(Content::default()));
        let hands_out = content.clone();
        let mesh = Mesh::builder()
            .transport(network.endpoint())
            .accept(Accept::All)
            .on_open("outbox", move |channel| collect(channel, take.clone()))
            .on_open("inbox", move |channel| {
                hand_out(channel, hands_out.lock().unwrap().clone(), ask.clone())
            })
            .build()
            .await
            .unwrap();
        Self {
            mesh,
            taken,
            asked,
            content,
        }
    }

    /// What somebody sends to somebody else, through this cache.
    pub(crate) async fn capture(
        &mut self,
        network: &MemoryNetwork,
        from: &Identity,
        to: &Identity,
        body: &str,
    ) -> Bytes {
        let person = Person::new(network, from).await;
        let options = SendOptions::new().cache(&person.link(&self.mesh).await);
        within(person.mailbox.send(to.keys(), body, &options))
            .await
            .unwrap();
        person.mesh.close().await;
        within(self.taken.recv()).await.unwrap()
    }

    /// Accepts inboxes of these boxes, and says nothing more.
    pub(crate) fn silent_about(&self, names: &[BoxId]) {
        self.content.lock().unwrap().silent = names.to_vec();
    }

    /// Tells a recipient of boxes, which all have this content.
    pub(crate) async fn offer(&self, to: &Person, boxes: &[BoxId], content: Vec<Bytes>) {
        self.content.lock().unwrap().messages = content;
        let link = self.mesh.link(to.mesh.local_link_json()).await.unwrap();
        let names: Vec<u8> = boxes.iter().flat_map(|name| *name.as_bytes()).collect();
        let mut channel = link
            .open(Open::unreliable("boxes").body(names))
            .await
            .unwrap();
        within(channel.opened()).await.unwrap();
        channel.end().unwrap();
    }
}

async fn collect(channel: IncomingChannel, take: mpsc::Sender<Bytes>) -> Result<(), HandlerError> {
    let mut channel = channel.accept()?;
    let mut message = Vec::new();
    while let Some(packet) = channel.recv().await? {
        message.extend_from_slice(&packet.body);
    }
    channel.end()?;
    take.send(message.into()).await?;
    Ok(())
}

async fn hand_out(
    channel: IncomingChannel,
    content: Content,
    ask: mpsc::Sender<Map<String, Value>>,
) -> Result<(), HandlerError> {
    let asked = channel.head().and_then(|head| head["box"].as_str());
    let is_silent = content
        .silent
        .iter()
        .any(|name| Some(&*name.to_string()) == asked);
    let mut channel = channel.accept()?;
    if is_silent {
        channel.closed().await?;
    }
    let head = |head: Value| head.as_object().cloned().unwrap_or_default();
    for message in content.messages {
        let done = head(json!({ "done": true }));
        channel.send(Packet::new(message).head(done)).await?;
    }
    loop {
        let room = head(json!({ "cap": 1000 }));
        channel.send(Packet::default().head(room)).await?;
        let Some(packet) = channel.recv().await? else {
            break;
        };
        ask.send(*packet.head.unwrap_or_default()).await?;
    }
    channel.end()?;
    Ok(())
}

fn changed(message: &Bytes, at: usize) -> Bytes {
    let mut bytes = message.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

#[tokio::test]
async fn a_cache_that_alters_replays_and_reorders_gets_nothing_through_but_the_letters() {
    let network = MemoryNetwork::new(1);
    let mut liar = Liar::new(&network).await;
    let (ann, bob, eve) = (identity(), identity(), identity());
    let first = liar.capture(&network, &ann, &bob, "first").await;
    let second = liar.capture(&network, &ann, &bob, "second").await;
    let of_eve = liar.capture(&network, &eve, &bob, "I am ann").await;
    let to_eve = liar.capture(&network, &ann, &eve, "not for bob").await;
    let bobs = Person::new(&network, &bob).await;
    let name = BoxId::new(&ann.hashname(), &bob.hashname());
    let content = vec![
        changed(&second, 0),
        changed(&second, 20),
        changed(&second, second.len() - 1),
        of_eve,
        to_eve,
        second.clone(),
        first.clone(),
        second,
        first.slice(..first.len() - 1),
        first,
    ];
    let count = content.len();
    liar.offer(&bobs, &[name], content).await;
    assert_eq!(bobs.next().await, b"second");
    assert_eq!(bobs.next().await, b"first");
    // Everything is removed, also what was not in order.
    for _ in 0..count {
        let asked = within(liar.asked.recv()).await.unwrap();
        assert!(asked.contains_key("id"), "{asked:?}");
    }
    // Nothing else came: the next letter is the next one.
    let third = liar.capture(&network, &ann, &bob, "third").await;
    liar.offer(&bobs, &[name], vec![third]).await;
    assert_eq!(bobs.next().await, b"third");
}

#[tokio::test]
async fn a_box_with_more_forgeries_than_the_limit_is_emptied() {
    let network = MemoryNetwork::new(1);
    let mut liar = Liar::new(&network).await;
    let (ann, bob) = (identity(), identity());
    let letter = liar.capture(&network, &ann, &bob, "real").await;
    let bobs = Person::new(&network, &bob).await;
    let name = BoxId::new(&ann.hashname(), &bob.hashname());
    let forgery = changed(&letter, letter.len() - 1);
    let mut content = vec![forgery.clone(); MAX_FORGED];
    content.push(letter);
    liar.offer(&bobs, &[name], content).await;
    assert_eq!(bobs.next().await, b"real");
    for _ in 0..=MAX_FORGED {
        let asked = within(liar.asked.recv()).await.unwrap();
        assert!(asked.contains_key("id"), "{asked:?}");
    }
    liar.offer(&bobs, &[name], vec![forgery; MAX_FORGED + 1])
        .await;
    for _ in 0..MAX_FORGED {
        within(liar.asked.recv()).await.unwrap();
    }
    let asked = within(liar.asked.recv()).await.unwrap();
    assert_eq!(asked.get("clear"), Some(&true.into()));
}

#[tokio::test]
async fn a_box_that_hands_out_the_same_for_ever_is_emptied() {
    let network = MemoryNetwork::new(1);
    let mut liar = Liar::new(&network).await;
    let (ann, bob) = (identity(), identity());
    let letter = liar.capture(&network, &ann, &bob, "again").await;
    let bobs = Person::new(&network, &bob).await;
    let name = BoxId::new(&ann.hashname(), &bob.hashname());
    let content = vec![letter; MAX_FORGED + 100];
    liar.offer(&bobs, &[name], content).await;
    assert_eq!(bobs.next().await, b"again");
    for _ in 0..=MAX_FORGED {
        let asked = within(liar.asked.recv()).await.unwrap();
        assert!(asked.contains_key("id"), "{asked:?}");
    }
    let asked = within(liar.asked.recv()).await.unwrap();
    assert_eq!(asked.get("clear"), Some(&true.into()));
}

/// A letter that says that it was sent at this time.
fn letter_of(at: u64, from: &Identity, to: &Identity, body: &[u8]) -> Bytes {
    let (csid, mut rng) = (Csid::CS3A, ChaCha20Rng::from_seed([7; 32]));
    let head = json!({
        "type": "box", "at": at, "csid": csid.to_string(),
        "keys": from.keys().attached_head(csid),
        "key": base32::encode(from.keys().key(csid).unwrap()),
    });
    let inner = telehash_lob::encode_json(head.as_object().unwrap(), body).unwrap();
    let sealed = telehash_e3x::message::seal(from, to.keys(), &inner, &mut rng);
    sealed.unwrap().into()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}

#[tokio::test]
async fn a_letter_of_tomorrow_stays_at_the_cache_and_is_counted() {
    let network = MemoryNetwork::new(1);
    let mut liar = Liar::new(&network).await;
    let (ann, bob) = (identity(), identity());
    let bobs = Person::new(&network, &bob).await;
    let name = BoxId::new(&ann.hashname(), &bob.hashname());
    let tomorrow = letter_of(now() + 86_400_000, &ann, &bob, b"tomorrow");
    let today = letter_of(now(), &ann, &bob, b"today");
    let id = MessageId::new(&name, &today);
    liar.offer(&bobs, &[name], vec![tomorrow, today]).await;
    assert_eq!(bobs.next().await, b"today");
    let asked = within(liar.asked.recv()).await.unwrap();
    assert_eq!(asked.get("id"), Some(&id.to_string().into()));
    within(bobs.mailbox.idle()).await;
    assert!(liar.asked.try_recv().is_err(), "nothing else was removed");
    assert_eq!(bobs.mailbox.refused(), 1);
}

#[tokio::test]
async fn a_sender_of_tomorrow_is_told_that_its_letter_was_not_taken() {
    let network = MemoryNetwork::new(1);
    let (ann, bob) = (identity(), identity());
    let bobs = Person::new(&network, &bob).await;
    let anns = Person::new(&network, &ann).await;
    let link = anns.link(&bobs.mesh).await;
    let head = Map::from_iter([("to".to_owned(), bob.hashname().to_string().into())]);
    let mut channel = link
        .open(Open::reliable("outbox").head(head))
        .await
        .unwrap();
    let tomorrow = letter_of(now() + 86_400_000, &ann, &bob, b"tomorrow");
    let done = Map::from_iter([("done".to_owned(), true.into())]);
    channel
        .send(Packet::new(tomorrow).head(done))
        .await
        .unwrap();
    channel.end().unwrap();
    let closed = within(channel.closed()).await;
    assert!(
        matches!(&closed, Err(ChannelError::Peer(why)) if why == "clock"),
        "{closed:?}"
    );
}

#[tokio::test]
async fn nobody_reads_or_empties_the_box_of_somebody_else() {
    let network = MemoryNetwork::new(1);
    let server = crate::common::Server::new(&network, Default::default()).await;
    let (ann_id, bob_id, eve_id) = (identity(), identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
    within(ann.mailbox.send(bob_id.keys(), "a", &options))
        .await
        .unwrap();
    let name = BoxId::new(&ann_id.hashname(), &bob_id.hashname());
    let eve = Person::new(&network, &eve_id).await;
    let link = eve.link(&server.mesh).await;
    let head = Map::from_iter([("box".to_owned(), name.to_string().into())]);
    let open = Open::reliable("inbox").head(head);
    let mut channel = link.open(open).await.unwrap();
    let clear = Map::from_iter([("clear".to_owned(), true.into())]);
    channel.send(Packet::default().head(clear)).await.unwrap();
    channel.end().unwrap();
    // An empty box, as any that does not exist.
    while let Some(packet) = within(channel.recv()).await.unwrap() {
        assert!(packet.body.is_empty());
        assert!(packet.head.is_none_or(|head| head.contains_key("cap")));
    }
    assert_eq!(server.cache.stats().messages, 1);
}

#[tokio::test]
async fn opens_that_make_no_sense_are_refused() {
    let network = MemoryNetwork::new(1);
    let server = crate::common::Server::new(&network, Default::default()).await;
    let ann = Person::new(&network, &identity()).await;
    let link = ann.link(&server.mesh).await;
    for open in [
        Open::reliable("outbox"),
        Open::unreliable("outbox"),
        Open::reliable("inbox"),
        Open::unreliable("boxes"),
    ] {
        let mut channel = link.open(open).await.unwrap();
        let refused = within(channel.opened()).await;
        assert!(
            matches!(&refused, Err(ChannelError::Peer(why)) if why == "bad request"),
            "{refused:?}"
        );
    }
}
