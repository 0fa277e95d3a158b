//! What the application did not take, and what it took in an earlier life.

use telehash_channel_box::{
    BoxError, BoxId, Mailbox, MailboxOptions, MeshBoxExt as _, Quota, SendOptions,
};
use telehash_e3x::Identity;
use telehash_runtime::{Accept, Link, Mesh};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{LIMIT, Person, Server, identity, within};
use crate::hostile::Liar;

/// Somebody who may have a mailbox, or another one later.
async fn somebody(network: &MemoryNetwork, identity: &Identity, cache: &Mesh) -> (Mesh, Link) {
    let builder = Mesh::builder()
        .identity(identity.clone())
        .accept(Accept::All);
    let mesh = builder.transport(network.endpoint()).build().await.unwrap();
    let link = mesh.link(cache.local_link_json()).await.unwrap();
    link.wait_up(LIMIT).await.unwrap();
    (mesh, link)
}

async fn put(ann: &Person, to: &Identity, body: &str, cache: &Mesh) {
    let options = SendOptions::new().cache(&ann.link(cache).await);
    let sent = within(ann.mailbox.send(to.keys(), body, &options)).await;
    assert_eq!(sent.unwrap().caches, [cache.hashname()]);
}

async fn next(mailbox: &Mailbox) -> Vec<u8> {
    let arrived = within(mailbox.next()).await.expect("a letter");
    let body = arrived.letter().body.to_vec();
    arrived.take().await.unwrap();
    body
}

#[tokio::test]
async fn whoever_opens_a_mailbox_later_asks_and_learns_when_that_was_all() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann, bob_id) = (Person::new(&network, &identity()).await, identity());
    // Nobody takes letters there when the link comes up.
    let (bob, link) = somebody(&network, &bob_id, &server.mesh).await;
    for body in ["a", "b"] {
        put(&ann, &bob_id, body, &server.mesh).await;
    }
    let mailbox = bob.mailbox(bob_id.clone()).unwrap();
    let take = async { (next(&mailbox).await, next(&mailbox).await) };
    let (fetched, taken) = within(async { tokio::join!(mailbox.fetch(&link), take) }).await;
    assert_eq!(fetched.unwrap(), 1, "one sender");
    assert_eq!(taken, (b"a".to_vec(), b"b".to_vec()));
    assert_eq!(server.cache.stats().messages, 0);
    assert_eq!(within(mailbox.fetch(&link)).await.unwrap(), 0);
    within(mailbox.idle()).await;
    // Who is no cache says so.
    let link = bob.link(ann.mesh.local_link_json()).await.unwrap();
    let refused = within(mailbox.fetch(&link)).await.unwrap_err();
    assert!(matches!(refused, BoxError::Channel(_)), "{refused}");
}

#[tokio::test]
async fn what_was_seen_and_not_taken_comes_again() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann, bob_id) = (Person::new(&network, &identity()).await, identity());
    let (bob, link) = somebody(&network, &bob_id, &server.mesh).await;
    for body in ["a", "b"] {
        put(&ann, &bob_id, body, &server.mesh).await;
    }
    let mailbox = bob.mailbox(bob_id.clone()).unwrap();
    let look = async { drop(within(mailbox.next()).await.unwrap()) };
    let (fetched, ()) = within(async { tokio::join!(mailbox.fetch(&link), look) }).await;
    fetched.unwrap();
    assert_eq!(server.cache.stats().messages, 2);
    // Another mailbox takes its place, also while a letter waits for the first.
    let waits = within(async {
        tokio::select! {
            arrived = mailbox.next() => arrived.unwrap(),
            _ = mailbox.fetch(&link) => unreachable!("nothing was taken"),
        }
    });
    drop(waits.await);
    let mailbox = bob.mailbox(bob_id.clone()).unwrap();
    let take = async { (next(&mailbox).await, next(&mailbox).await) };
    let (fetched, taken) = within(async { tokio::join!(mailbox.fetch(&link), take) }).await;
    fetched.unwrap();
    assert_eq!(taken, (b"a".to_vec(), b"b".to_vec()));
    server.emptied().await;
}

#[tokio::test]
async fn a_sender_is_told_if_the_recipient_takes_no_letters_any_more() {
    let network = MemoryNetwork::new(1);
    let (ann, bob_id) = (Person::new(&network, &identity()).await, identity());
    let Person { mesh: bob, mailbox } = Person::new(&network, &bob_id).await;
    ann.link(&bob).await;
    let options = SendOptions::new();
    // It is dropped while a letter waits.
    let look = async {
        drop(within(mailbox.next()).await.unwrap());
        drop(mailbox);
    };
    let sends = ann.mailbox.send(bob_id.keys(), "a", &options);
    let (sent, ()) = within(async { tokio::join!(sends, look) }).await;
    assert!(matches!(sent, Err(BoxError::Channel(_))), "{sent:?}");
    let sent = within(ann.mailbox.send(bob_id.keys(), "b", &options)).await;
    assert!(matches!(sent, Err(BoxError::Channel(_))), "{sent:?}");
    let mailbox = bob.mailbox(bob_id.clone()).unwrap();
    let sends = ann.mailbox.send(bob_id.keys(), "c", &options);
    let (sent, body) = within(async { tokio::join!(sends, next(&mailbox)) }).await;
    assert!(sent.unwrap().direct);
    assert_eq!(body, b"c");
}

#[tokio::test]
async fn a_cache_keeps_letters_for_its_own_endpoint_until_that_has_a_mailbox() {
    let network = MemoryNetwork::new(1);
    let bob_id = identity();
    let builder = Mesh::builder()
        .identity(bob_id.clone())
        .transport(network.endpoint());
    let bob = Server::over(builder, Quota::new()).await;
    let ann = Person::new(&network, &identity()).await;
    ann.link(&bob.mesh).await;
    for body in ["a", "b"] {
        let options = SendOptions::new();
        let sent = within(ann.mailbox.send(bob_id.keys(), body, &options)).await;
        assert!(sent.unwrap().direct);
    }
    let mailbox = bob.mesh.mailbox(bob_id).unwrap();
    assert_eq!(next(&mailbox).await, b"a");
    assert_eq!(next(&mailbox).await, b"b");
    within(mailbox.idle()).await;
    assert_eq!(bob.cache.stats().messages, 0);
}

#[tokio::test]
async fn who_only_sends_takes_no_letters_and_keeps_nobody_from_taking_them() {
    let network = MemoryNetwork::new(1);
    let (ann_id, bob_id) = (identity(), identity());
    let (ann, bob) = (
        Person::new(&network, &ann_id).await,
        Person::new(&network, &bob_id).await,
    );
    ann.link(&bob.mesh).await;
    let options = MailboxOptions::new().send_only();
    let sends_only = ann.mesh.mailbox_with(ann_id.clone(), &options).unwrap();
    for (from, to, to_id) in [(&sends_only, &bob, &bob_id), (&bob.mailbox, &ann, &ann_id)] {
        let options = SendOptions::new();
        let sends = from.send(to_id.keys(), "a", &options);
        let (sent, body) = within(async { tokio::join!(sends, to.next()) }).await;
        assert!(sent.unwrap().direct);
        assert_eq!(body, b"a");
    }
    assert!(within(sends_only.recv()).await.is_none());
}

/// Bob takes a letter, is restarted, and the cache hands it over again; whether it comes twice.
async fn replayed(options: &MailboxOptions) -> bool {
    let network = MemoryNetwork::new(1);
    let mut liar = Liar::new(&network).await;
    let (ann, bob_id) = (identity(), identity());
    let letter = liar.capture(&network, &ann, &bob_id, "pay eve").await;
    let later = liar.capture(&network, &ann, &bob_id, "later").await;
    let name = BoxId::new(&ann.hashname(), &bob_id.hashname());
    let mut bodies = Vec::new();
    for content in [vec![letter.clone()], vec![letter, later]] {
        let (mesh, _) = somebody(&network, &bob_id, &liar.mesh).await;
        let mailbox = mesh.mailbox_with(bob_id.clone(), options).unwrap();
        let bob = Person { mesh, mailbox };
        liar.offer(&bob, &[name], content).await;
        bodies.push(next(&bob.mailbox).await);
        bob.mesh.close().await;
    }
    bodies[0] == bodies[1]
}

#[tokio::test]
async fn a_restarted_recipient_takes_no_replayed_letter_if_it_has_a_file() {
    assert!(
        replayed(&MailboxOptions::new()).await,
        "without a file it does"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letters");
    assert!(!replayed(&MailboxOptions::new().remember_in(file)).await);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let network = MemoryNetwork::new(1);
    let mesh = Mesh::builder().transport(network.endpoint());
    let id = identity();
    let mesh = mesh.identity(id.clone()).build().await.unwrap();
    let options = MailboxOptions::new().remember_in("/no/such/folder/letters");
    let error = mesh.mailbox_with(id, &options).unwrap_err().to_string();
    assert!(error.contains("/no/such/folder/letters"), "{error}");
}
