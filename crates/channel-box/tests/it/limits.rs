//! Every bound that takes a link to reach.

use serde_json::{Map, Value};
use telehash_channel_box::limits::{
    DELIVERY_TIMEOUT, FETCH_TIMEOUT, MAX_CACHES, MAX_FETCHES, MAX_INBOXES_PER_PEER, MAX_MESSAGE,
    MAX_OUTBOXES_PER_PEER, MAX_SILENT,
};
use telehash_channel_box::{BoxError, BoxId, Quota, SendOptions};
use telehash_runtime::{ChannelError, Link, Open, Packet};
use telehash_transport::memory::MemoryNetwork;
use tokio::time::Instant;

use crate::common::{Person, Server, identity, within};
use crate::hostile::Liar;

fn head(field: &str, value: impl Into<Value>) -> Map<String, Value> {
    Map::from_iter([(field.to_owned(), value.into())])
}

/// Opens as many as are allowed, one more, and another one once there is room again.
async fn bounded(link: &Link, open: Open, limit: usize) {
    let mut channels = Vec::new();
    for _ in 0..limit {
        let mut channel = link.open(open.clone()).await.unwrap();
        within(channel.opened()).await.unwrap();
        channels.push(channel);
    }
    let mut more = link.open(open.clone()).await.unwrap();
    let refused = within(more.opened()).await;
    assert!(
        matches!(&refused, Err(ChannelError::Peer(why)) if why == "busy"),
        "{refused:?}"
    );
    drop(channels.pop());
    within(async {
        while let Err(ChannelError::Peer(_)) = link.open(open.clone()).await.unwrap().opened().await
        {
        }
    })
    .await;
}

#[tokio::test]
async fn one_peer_has_no_more_outboxes_and_inboxes_than_its_share() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let ann = Person::new(&network, &identity()).await;
    let link = ann.link(&server.mesh).await;
    let to = identity().hashname();
    let outbox = Open::reliable("outbox").head(head("to", to.to_string()));
    bounded(&link, outbox, MAX_OUTBOXES_PER_PEER).await;
    let name = BoxId::new(&to, &to);
    let inbox = Open::reliable("inbox").head(head("box", name.to_string()));
    bounded(&link, inbox, MAX_INBOXES_PER_PEER).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_fails_its_outbox() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let ann = Person::new(&network, &identity()).await;
    let link = ann.link(&server.mesh).await;
    let outbox = |to: String| Open::reliable("outbox").head(head("to", to));
    let to = identity().hashname();
    for (len, fits) in [(MAX_MESSAGE, true), (MAX_MESSAGE + 1, false)] {
        let mut channel = link.open(outbox(to.to_string())).await.unwrap();
        let piece = vec![7; 1024];
        for _ in 0..len / piece.len() {
            if channel.send(Packet::new(piece.clone())).await.is_err() {
                break;
            }
        }
        let rest = Packet::new(vec![7; len % piece.len()]);
        let _ = channel.send(rest.head(head("done", true))).await;
        let _ = channel.end();
        let closed = within(channel.closed()).await;
        assert_eq!(closed.is_ok(), fits, "{closed:?}");
    }
    assert_eq!(server.cache.stats().messages, 1);
}

#[tokio::test]
async fn a_letter_goes_to_so_many_caches_and_no_more() {
    let network = MemoryNetwork::new(1);
    let ann = Person::new(&network, &identity()).await;
    let (mut servers, mut options) = (Vec::new(), SendOptions::new());
    for _ in 0..=MAX_CACHES {
        let server = Server::new(&network, Quota::new()).await;
        options = options.cache(&ann.link(&server.mesh).await);
        servers.push(server);
    }
    let sent = within(ann.mailbox.send(identity().keys(), "a", &options)).await;
    assert_eq!(sent.unwrap().caches.len(), MAX_CACHES);
    assert_eq!(servers[MAX_CACHES - 1].cache.stats().messages, 1);
    assert_eq!(servers[MAX_CACHES].cache.stats().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_does_not_take_a_letter_in_time_has_not_got_it() {
    let network = MemoryNetwork::new(1);
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let bob = Person::new(&network, &bob_id).await;
    ann.link(&bob.mesh).await;
    let begun = Instant::now();
    let options = SendOptions::new();
    let sent = ann.mailbox.send(bob_id.keys(), "a", &options);
    let sent = within(sent).await;
    assert!(matches!(sent, Err(BoxError::Timeout)), "{sent:?}");
    assert!(begun.elapsed() >= DELIVERY_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_falls_silent_holds_up_no_other_box_for_longer_than_the_limit() {
    let network = MemoryNetwork::new(1);
    let mut liar = Liar::new(&network).await;
    let (ann, bob) = (identity(), identity());
    let letter = liar.capture(&network, &ann, &bob, "a").await;
    let bobs = Person::new(&network, &bob).await;
    let name = BoxId::new(&ann.hashname(), &bob.hashname());
    let mut names: Vec<_> = (0..MAX_FETCHES as u64)
        .map(|number| BoxId::from_bytes(number.to_be_bytes()))
        .collect();
    liar.silent_about(&names);
    names.push(name);
    let begun = Instant::now();
    liar.offer(&bobs, &names, vec![letter]).await;
    assert_eq!(bobs.next().await, b"a");
    // It had to wait, since so many are fetched at once and no more.
    assert!(begun.elapsed() >= FETCH_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_says_nothing_about_many_boxes_is_given_up() {
    let network = MemoryNetwork::new(1);
    let liar = Liar::new(&network).await;
    let bobs = Person::new(&network, &identity()).await;
    let names: Vec<_> = (0..3 * MAX_SILENT as u64)
        .map(|number| BoxId::from_bytes(number.to_be_bytes()))
        .collect();
    liar.silent_about(&names);
    let begun = Instant::now();
    liar.offer(&bobs, &names, Vec::new()).await;
    // By then it is at it.
    tokio::time::sleep(FETCH_TIMEOUT).await;
    bobs.mailbox.idle().await;
    let turns = (MAX_SILENT / MAX_FETCHES) as u32;
    assert!(begun.elapsed() < FETCH_TIMEOUT * (turns + 1));
}

#[tokio::test(start_paused = true)]
async fn boxes_are_fetched_several_at_once_up_to_the_limit() {
    let network = MemoryNetwork::new(1);
    let mut liar = Liar::new(&network).await;
    let (ann, bob) = (identity(), identity());
    let letter = liar.capture(&network, &ann, &bob, "a").await;
    let bobs = Person::new(&network, &bob).await;
    let name = BoxId::new(&ann.hashname(), &bob.hashname());
    let mut names: Vec<_> = (1..MAX_FETCHES as u64)
        .map(|number| BoxId::from_bytes(number.to_be_bytes()))
        .collect();
    liar.silent_about(&names);
    names.push(name);
    let begun = Instant::now();
    liar.offer(&bobs, &names, vec![letter]).await;
    assert_eq!(bobs.next().await, b"a");
    // As virtual time goes, nobody was waited for.
    assert!(begun.elapsed() < FETCH_TIMEOUT);
}
