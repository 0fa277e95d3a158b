//! The recipient is there.

use telehash_channel_box::{BoxError, MeshBoxExt as _, Quota, SendOptions};
use telehash_runtime::{Accept, Mesh};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{Person, Server, identity, within};

#[tokio::test]
async fn a_letter_to_somebody_who_is_there_goes_there_and_not_to_a_cache() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let bob = Person::new(&network, &bob_id).await;
    let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
    ann.link(&bob.mesh).await;
    let sends = ann.mailbox.send(bob_id.keys(), "hello", &options);
    let (sent, letter) = within(async { tokio::join!(sends, bob.mailbox.recv()) }).await;
    assert!(sent.unwrap().direct, "the recipient has it");
    let letter = letter.unwrap();
    assert_eq!(letter.from, ann_id.hashname());
    assert_eq!(server.cache.stats().messages, 0);

    // The letter has all that it takes to answer.
    let options = SendOptions::new();
    let sends = bob.mailbox.send(&letter.keys, "and to you", &options);
    let (sent, answer) = within(async { tokio::join!(sends, ann.next()) }).await;
    assert!(sent.unwrap().direct);
    assert_eq!(answer, b"and to you");
}

#[tokio::test]
async fn a_recipient_that_takes_no_letters_gets_them_through_a_cache() {
    let network = MemoryNetwork::new(1);
    let server = Server::new(&network, Quota::new()).await;
    let (ann_id, bob_id) = (identity(), identity());
    let ann = Person::new(&network, &ann_id).await;
    let bob = Mesh::builder()
        .transport(network.endpoint())
        .identity(bob_id.clone())
        .accept(Accept::All);
    let bob = bob.build().await.unwrap();
    let options = SendOptions::new().cache(&ann.link(&server.mesh).await);
    ann.link(&bob).await;
    let sent = within(ann.mailbox.send(bob_id.keys(), "a", &options)).await;
    let sent = sent.unwrap();
    assert!(!sent.direct && sent.caches.len() == 1);
}

#[tokio::test]
async fn without_a_way_a_letter_is_not_sent() {
    let network = MemoryNetwork::new(1);
    let ann = Person::new(&network, &identity()).await;
    let (bob, options) = (identity(), SendOptions::new());
    let sent = ann.mailbox.send(bob.keys(), "a", &options);
    assert!(matches!(within(sent).await, Err(BoxError::NowhereToPut)));
    let other = ann.mesh.mailbox(identity());
    assert!(matches!(other, Err(BoxError::OtherIdentity)));
}
