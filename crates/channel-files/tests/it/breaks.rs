//! Transfers that break off, in every way, and go on.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use telehash_channel_files::{FilesError, LinkFilesExt as _, PARTS_FOLDER, Sending};
use telehash_runtime::{Accept, Link, Mesh};
use telehash_transport::impair::{Conditions, Loss};
use tokio::sync::Notify;

use crate::common::{Disks, LIMIT, Pair, pattern, within};

const SIZE: usize = 6_000_000;
const BREAK_AT: u64 = 3_000_000;

/// Sends what is left; how much of it was there already.
async fn go_on(link: &Link, sending: &mut Sending) -> u64 {
    let mut first = None;
    loop {
        link.wait_up(LIMIT).await.unwrap();
        let sent = link.send_files_with(sending, |progress| {
            first.get_or_insert(progress.bytes);
        });
        match within(sent).await {
            Ok(()) => return first.unwrap(),
            // A peer that closed its link is silent at first.
            Err(error) => assert!(matches!(error, FilesError::Broken(_)), "{error}"),
        }
    }
}

/// Sends until so much is sent; then something happens.
async fn send_until(
    link: &Link,
    sending: &mut Sending,
    then: impl FnOnce(),
) -> Result<(), FilesError> {
    let reached = Notify::new();
    let sent = link.send_files_with(sending, |progress| {
        if progress.bytes >= BREAK_AT {
            reached.notify_one();
        }
    });
    let breaks = async {
        reached.notified().await;
        then();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        sent = within(sent) => sent,
        () = breaks => unreachable!("it waits for ever"),
    }
}

fn assert_arrived(disks: &Disks) {
    assert!(disks.received("file") == pattern(SIZE));
    assert!(disks.parts().is_empty(), "{:?}", disks.parts());
}

#[tokio::test]
async fn a_sender_that_is_dropped_goes_on_with_the_same_files() {
    let disks = Disks::new();
    disks.write("file", pattern(SIZE));
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("file").await;
    let reached = Notify::new();
    tokio::select! {
        _ = pair.link.send_files_with(&mut sending, |progress| {
            if progress.bytes >= BREAK_AT {
                reached.notify_one();
            }
        }) => panic!("it was to be dropped"),
        () = reached.notified() => {}
    }
    assert_eq!(sending.progress().bytes, 0, "nothing is done with");
    pair.ended().await.unwrap_err();
    assert!(
        !disks.there("file").exists(),
        "it has its name once it is complete"
    );
    // Another program could do the same.
    let mut sending = disks.sending("file").await;
    assert!(go_on(&pair.link, &mut sending).await >= 1 << 20);
    assert_arrived(&disks);
}

#[tokio::test]
async fn a_link_that_the_sender_loses_is_no_loss() {
    let disks = Disks::new();
    disks.write("file", pattern(SIZE));
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("file").await;
    let link = pair.link.clone();
    let error = send_until(&pair.link, &mut sending, || link.close())
        .await
        .unwrap_err();
    assert!(matches!(error, FilesError::Broken(_)), "{error}");
    pair.ended().await.unwrap_err();
    let link = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    assert!(go_on(&link, &mut sending).await >= 1 << 20);
    assert_arrived(&disks);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_falls_silent_is_no_loss() {
    let disks = Disks::new();
    disks.write("file", pattern(SIZE));
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("file").await;
    let network = pair.network.clone();
    let silent = Conditions::perfect().with_loss(Loss::Random(1.0));
    let sent = send_until(&pair.link, &mut sending, move || {
        network.set_conditions(&silent);
    });
    sent.await.unwrap_err();
    pair.ended().await.unwrap_err();
    pair.network.set_conditions(&Conditions::perfect());
    let link = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    assert!(go_on(&link, &mut sending).await >= 1 << 20);
    assert_arrived(&disks);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_loses_its_link_goes_on() {
    let disks = Disks::new();
    disks.write("file", pattern(SIZE));
    let (folder, once) = (disks.folder(), Arc::new(AtomicBool::new(true)));
    let pair = Pair::receiving(move |incoming| {
        let (folder, once, link) = (folder.clone(), once.clone(), incoming.link());
        async move {
            let received = incoming.receive_with(&folder, |progress| {
                if progress.bytes >= BREAK_AT && once.swap(false, Ordering::Relaxed) {
                    link.close();
                }
            });
            received.await
        }
    })
    .await;
    let mut sending = disks.sending("file").await;
    within(pair.link.send_files(&mut sending))
        .await
        .unwrap_err();
    pair.ended().await.unwrap_err();
    let link = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    assert!(go_on(&link, &mut sending).await >= 1 << 20);
    assert_arrived(&disks);
}

#[tokio::test]
async fn a_receiver_that_ends_is_followed_by_another_program() {
    let disks = Disks::new();
    disks.write("file", pattern(SIZE));
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("file").await;
    let server = pair.server.clone();
    let reached = Notify::new();
    let sent = pair.link.send_files_with(&mut sending, |progress| {
        if progress.bytes >= BREAK_AT {
            reached.notify_one();
        }
    });
    let ends = async {
        reached.notified().await;
        server.close().await;
    };
    let (sent, ()) = within(async { tokio::join!(sent, ends) }).await;
    sent.unwrap_err();
    let Pair {
        network,
        server,
        client,
        link,
        ended,
    } = pair;
    drop((server, link, ended));
    let folder = opened_again(&disks).await;
    let next = Pair::over(
        network.clone(),
        Mesh::builder().transport(network.endpoint()),
        Mesh::builder().transport(network.endpoint()),
        move |incoming| {
            let folder = folder.clone();
            async move { incoming.receive(&folder).await }
        },
    )
    .await;
    // The part belongs to the first sender.
    let link = client.link(next.server.local_link_json()).await.unwrap();
    assert!(go_on(&link, &mut sending).await >= 1 << 20);
    assert_arrived(&disks);
}

/// The folder, once the last one that received into it is gone.
async fn opened_again(disks: &Disks) -> telehash_channel_files::Folder {
    within(async {
        loop {
            match telehash_channel_files::Folder::open(disks.there.path()) {
                Ok(folder) => return folder,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_source_that_changed_since_the_break_is_sent_from_the_beginning() {
    let disks = Disks::new();
    disks.write("file", vec![7; SIZE]);
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("file").await;
    let link = pair.link.clone();
    send_until(&pair.link, &mut sending, || link.close())
        .await
        .unwrap_err();
    pair.ended().await.unwrap_err();
    disks.write("file", pattern(SIZE));
    let mut sending = disks.sending("file").await;
    let link = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    assert_eq!(go_on(&link, &mut sending).await, 0);
    assert_arrived(&disks);
}

#[tokio::test]
async fn a_source_that_changes_while_it_is_sent_is_left_out_and_said_so() {
    let disks = Disks::new();
    let path = disks.write("tree/file", pattern(SIZE));
    disks.write("tree/other", "unchanged");
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("tree").await;
    let grow = || {
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"more").unwrap();
    };
    send_until(&pair.link, &mut sending, grow).await.unwrap();
    let outcome = pair.ended().await.unwrap();
    assert_eq!(&outcome, sending.outcome());
    assert_eq!((outcome.stored, outcome.left_out), (2, 1));
    let out = outcome.named.first().unwrap();
    assert!(
        out.name == "tree/file" && out.reason.contains("changed"),
        "{out:?}"
    );
    assert!(!disks.there("tree/file").exists());
    assert_eq!(disks.received("tree/other"), b"unchanged");
}

#[tokio::test]
async fn a_part_that_was_damaged_meanwhile_is_sent_from_the_beginning() {
    let disks = Disks::new();
    disks.write("file", pattern(SIZE));
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("file").await;
    let link = pair.link.clone();
    send_until(&pair.link, &mut sending, || link.close())
        .await
        .unwrap_err();
    pair.ended().await.unwrap_err();
    let part = disks
        .parts()
        .into_iter()
        .find(|name| name.ends_with(".part"))
        .unwrap();
    let part = disks.there(PARTS_FOLDER).join(part);
    let mut bytes = fs::read(&part).unwrap();
    *bytes.first_mut().unwrap() ^= 1;
    fs::write(&part, bytes).unwrap();
    let link = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    assert_eq!(go_on(&link, &mut sending).await, 0);
    assert_arrived(&disks);
}

#[tokio::test]
async fn many_files_go_on_after_those_that_are_there() {
    let disks = Disks::new();
    for number in 0..300 {
        disks.write(&format!("tree/{number:03}"), pattern(20_000 + number));
    }
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("tree").await;
    let link = pair.link.clone();
    send_until(&pair.link, &mut sending, || link.close())
        .await
        .unwrap_err();
    pair.ended().await.unwrap_err();
    let link = pair
        .client
        .link(pair.server.local_link_json())
        .await
        .unwrap();
    link.wait_up(LIMIT).await.unwrap();
    within(link.send_files(&mut sending)).await.unwrap();
    let outcome = sending.outcome();
    assert_eq!((outcome.stored, outcome.left_out), (301, 0));
    let progress = sending.progress();
    assert_eq!(progress.bytes, progress.total_bytes);
    for number in 0..300 {
        assert!(disks.received(&format!("tree/{number:03}")) == pattern(20_000 + number));
    }
    assert!(disks.parts().is_empty());
}

#[tokio::test]
async fn another_peer_neither_goes_on_with_a_part_nor_learns_of_it() {
    let disks = Disks::new();
    disks.write("file", pattern(SIZE));
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("file").await;
    let link = pair.link.clone();
    send_until(&pair.link, &mut sending, || link.close())
        .await
        .unwrap_err();
    pair.ended().await.unwrap_err();
    let stranger = Mesh::builder().transport(pair.network.endpoint());
    let stranger = stranger.accept(Accept::None).build().await.unwrap();
    let link = stranger.link(pair.server.local_link_json()).await.unwrap();
    let mut theirs = disks.sending("file").await;
    assert_eq!(go_on(&link, &mut theirs).await, 0);
    assert!(disks.received("file") == pattern(SIZE));
}
