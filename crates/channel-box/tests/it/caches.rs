//! Sender and recipient are never there together.

use std::time::Duration;

use telehash_channel_box::{MeshBoxExt as _, Quota, SendOptions};
use telehash_runtime::{Accept, IncomingChannel, Mesh};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{LIMIT, Person, Server, identity, pattern, within};

#[tokio::test]
async fn letters_wait_at_a_cache_and_come_in_order_each_once() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
    let bodies = [
        b"first".to_vec(),
        Vec::new(),
        pattern(200_000),
        b"last".to_vec(),
    ];
    for body in &bodies {
        let sent = within(ann.mailbox.send(bob_id.keys(), body, &options)).await;
        let sent = sent.unwrap();
        assert!(!sent.direct);
        assert_eq!(sent.caches, [server.mesh.hashname()]);
    }
    ann.mesh.close().await;
    assert_eq!(server.cache.stats().messages, 4);

    let bob = Person::new(&network, &bob_id).await;
    bob.link(&server.mesh).await;
    for body in &bodies {
        let letter = within(bob.mailbox.recv()).await.unwrap();
        assert_eq!(letter.from, ann_id.hashname());
        assert!(letter.body == body[..], "{} bytes", letter.body.len());
    }
    server.emptied().await;
}

#[tokio::test]
async fn a_letter_that_comes_while_the_recipient_is_at_the_cache_is_told_at_once() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&server.mesh).await;
    let ann = Person::new(&network, &ann_id).await;
    let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
    for body in ["one", "two", "three"] {
        within(ann.mailbox.send(bob_id.keys(), body, &options))
            .await
            .unwrap();
    }
    for body in ["one", "two", "three"] {
        assert_eq!(bob.next().await, body.as_bytes());
    }
    server.emptied().await;
}

#[tokio::test]
async fn with_two_caches_a_letter_comes_once_and_leaves_both() {
    let network = MemoryNetwork::new(1);
    let one = Server::new(&network, Quota::new()).await;
    let two = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let options = SendOptions::new()
        .cache(&ann.link(&one.mesh).await)
        .cache(&ann.link(&two.mesh).await);
    for body in ["a", "b"] {
        let sent = within(ann.mailbox.send(bob_id.keys(), body, &options)).await;
        assert_eq!(sent.unwrap().caches.len(), 2);
    }
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&one.mesh).await;
    assert_eq!(bob.next().await, b"a");
    assert_eq!(bob.next().await, b"b");
    one.emptied().await;
    bob.link(&two.mesh).await;
    two.emptied().await;
    // Nothing came twice: the next letter is the next one.
    let only = SendOptions::new().cache(&ann.link(&two.mesh).await);
    within(ann.mailbox.send(bob_id.keys(), "c", &only))
        .await
        .unwrap();
    assert_eq!(bob.next().await, b"c");
}

#[tokio::test]
async fn a_letter_that_two_caches_have_at_the_same_time_comes_once_and_leaves_both() {
    let network = MemoryNetwork::new(1);
    let one = Server::new(&network, Quota::new()).await;
    let two = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&one.mesh).await;
    bob.link(&two.mesh).await;
    let options = SendOptions::new()
        .cache(&ann.link(&one.mesh).await)
        .cache(&ann.link(&two.mesh).await);
    for body in ["a", "b", "c"] {
        within(ann.mailbox.send(bob_id.keys(), body, &options))
            .await
            .unwrap();
        assert_eq!(bob.next().await, body.as_bytes());
    }
    one.emptied().await;
    two.emptied().await;
}

#[tokio::test]
async fn what_was_not_taken_stays_at_the_cache() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
    for body in ["a", "b", "c"] {
        within(ann.mailbox.send(bob_id.keys(), body, &options))
            .await
            .unwrap();
    }
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&server.mesh).await;
    assert_eq!(bob.next().await, b"a");
    server.down_to(2).await;
    // The second waits for him when he goes; he remembers nothing when he comes back.
    bob.mesh.close().await;
    drop(bob);
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&server.mesh).await;
    assert_eq!(bob.next().await, b"b");
    assert_eq!(bob.next().await, b"c");
    server.emptied().await;
}

#[tokio::test]
async fn a_cache_that_was_restarted_has_nothing_and_another_one_delivers() {
    let network = MemoryNetwork::new(1);
    let restarts = Server::new(&network, Quota::new()).await;
    let stays = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let options = SendOptions::new()
        .cache(&ann.link(&restarts.mesh).await)
        .cache(&ann.link(&stays.mesh).await);
    within(ann.mailbox.send(bob_id.keys(), "a", &options))
        .await
        .unwrap();
    assert_eq!(restarts.cache.stats().messages, 1);
    let again = restarts.mesh.cache_boxes(Quota::new()).unwrap();
    assert_eq!(again.stats().messages, 0);
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&restarts.mesh).await;
    bob.link(&stays.mesh).await;
    assert_eq!(bob.next().await, b"a");
    stays.emptied().await;
}

#[tokio::test]
async fn a_cache_that_loses_everything_is_made_up_for_by_another() {
    let network = MemoryNetwork::new(1);
    let loses = Server::new(&network, Quota::new().total(0)).await;
    let keeps = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let options = SendOptions::new()
        .cache(&ann.link(&loses.mesh).await)
        .cache(&ann.link(&keeps.mesh).await);
    let sent = within(ann.mailbox.send(bob_id.keys(), "a", &options)).await;
    // The one without room took it as the other did.
    assert_eq!(sent.unwrap().caches.len(), 2);
    assert_eq!(loses.cache.stats().messages, 0);
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&loses.mesh).await;
    bob.link(&keeps.mesh).await;
    assert_eq!(bob.next().await, b"a");
}

#[tokio::test]
async fn a_letter_can_be_taken_back_and_expires() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let link = ann.link(&server.mesh).await;
    let options = SendOptions::new().cache(&link);
    let send = |body: &'static str, options: SendOptions| {
        let (ann, to) = (&ann, bob_id.keys());
        async move {
            let sent = within(ann.mailbox.send(to, body, &options)).await;
            sent.unwrap().id
        }
    };
    let regretted = send("regretted", options.clone()).await;
    send("meant", options.clone()).await;
    // Less than a second is nothing.
    send("brief", options.clone().keep_for(Duration::ZERO)).await;
    let to = bob_id.hashname();
    within(ann.mailbox.take_back(&to, regretted, &link))
        .await
        .unwrap();
    assert_eq!(server.cache.stats().messages, 1);
    let bob = Person::new(&network, &bob_id).await;
    bob.link(&server.mesh).await;
    assert_eq!(bob.next().await, b"meant");
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_could_not_be_told_is_told_again() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let bob_id = identity();
    let (tell, mut told) = tokio::sync::mpsc::channel(16);
    let bob = Mesh::builder()
        .transport(network.endpoint())
        .identity(bob_id.clone())
        .accept(Accept::All)
        .on_open("boxes", move |channel: IncomingChannel| {
            channel.refuse("not now");
            let tell = tell.clone();
            async move { tell.send(()).await }
        });
    let bob = bob.build().await.unwrap();
    let link = bob.link(server.mesh.local_link_json()).await.unwrap();
    link.wait_up(LIMIT).await.unwrap();
    let ann = Person::new(&network, &identity()).await;
    let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
    within(ann.mailbox.send(bob_id.keys(), "a", &options))
        .await
        .unwrap();
    for _ in 0..3 {
        within(told.recv()).await.unwrap();
    }
}
