//! Folders that take only so much.

use telehash_channel_files::LinkFilesExt as _;

use crate::common::{Disks, Pair, pattern, within};

/// What of these files is left out, with the reason.
async fn left_out(pair: &Pair, disks: &Disks, name: &str) -> Vec<(String, String)> {
    let mut sending = disks.sending(name).await;
    within(pair.link.send_files(&mut sending)).await.unwrap();
    let received = pair.ended().await.unwrap();
    assert_eq!(&received, sending.outcome(), "both know the same");
    let named = received.named.into_iter();
    named.map(|out| (out.name, out.reason)).collect()
}

fn refused(name: &str, reason: &str) -> (String, String) {
    (name.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_and_the_others_taken() {
    let disks = Disks::new();
    disks.write("tree/fits", pattern(1000));
    disks.write("tree/larger", pattern(1001));
    disks.write("tree/small", "");
    let pair = Pair::new(disks.folder().max_file(1000)).await;
    let left = left_out(&pair, &disks, "tree").await;
    assert_eq!(
        left,
        [refused("tree/larger", "larger than files may be here")]
    );
    assert_eq!(disks.received("tree/fits"), pattern(1000));
    assert!(!disks.there("tree/larger").exists() && disks.parts().is_empty());
}

#[tokio::test]
async fn no_more_is_taken_than_the_quota_in_however_many_transfers() {
    let disks = Disks::new();
    disks.write("one", pattern(600));
    disks.write("tree/other", pattern(401));
    disks.write("tree/small", pattern(400));
    let pair = Pair::new(disks.folder().quota(1000)).await;
    assert_eq!(left_out(&pair, &disks, "one").await, []);
    let over = [refused("tree/other", "over the quota")];
    assert_eq!(left_out(&pair, &disks, "tree").await, over);
    assert_eq!(disks.received("tree/small"), pattern(400));
    // What is there costs nothing.
    assert_eq!(left_out(&pair, &disks, "one").await, []);
    assert_eq!(left_out(&pair, &disks, "tree").await, over);
}

#[tokio::test]
async fn what_breaks_off_costs_as_much_as_was_written() {
    let disks = Disks::new();
    let (size, quota) = (6_000_000, 7_000_000);
    disks.write("file", pattern(size));
    disks.write("more", pattern(1_000_001));
    let pair = Pair::new(disks.folder().quota(quota)).await;
    let mut sending = disks.sending("file").await;
    let reached = tokio::sync::Notify::new();
    tokio::select! {
        _ = pair.link.send_files_with(&mut sending, |progress| {
            if progress.bytes >= 3_000_000 {
                reached.notify_one();
            }
        }) => panic!("it was to be dropped"),
        () = reached.notified() => {}
    }
    pair.ended().await.unwrap_err();
    let kept = disks.parts();
    let part = kept.iter().find(|name| name.ends_with(".part")).unwrap();
    let written = disks
        .there(".mesh-parts")
        .join(part)
        .metadata()
        .unwrap()
        .len();
    assert!(written > 0, "something is kept");
    // Another file of as many bytes as are left would fit, and one more would not, if nothing else were set aside.
    assert_eq!(left_out(&pair, &disks, "more").await, []);
    disks.write("last", pattern(usize::try_from(quota).unwrap() - 1_000_001));
    let last = left_out(&pair, &disks, "last").await;
    assert_eq!(last, [refused("last", "over the quota")]);
}

#[tokio::test]
async fn what_is_here_already_is_not_charged_twice() {
    let disks = Disks::new();
    let (size, quota) = (6_000_000, 6_000_000);
    disks.write("file", pattern(size));
    let pair = Pair::new(disks.folder().quota(quota)).await;
    let mut sending = disks.sending("file").await;
    let reached = tokio::sync::Notify::new();
    tokio::select! {
        _ = pair.link.send_files_with(&mut sending, |progress| {
            if progress.bytes >= 3_000_000 {
                reached.notify_one();
            }
        }) => panic!("it was to be dropped"),
        () = reached.notified() => {}
    }
    pair.ended().await.unwrap_err();
    assert_ne!(disks.parts().len(), 0, "something is kept");
    assert_eq!(left_out(&pair, &disks, "file").await, []);
    assert!(disks.received("file") == pattern(size));
    disks.write("more", "x");
    let over = [refused("more", "over the quota")];
    assert_eq!(left_out(&pair, &disks, "more").await, over);
}
