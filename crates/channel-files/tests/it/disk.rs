//! Disks that do not do what is asked of them.

use std::fs;

use telehash_channel_files::{FilesError, Folder, LinkFilesExt as _};

use crate::common::{Disks, Pair, pattern, within};

/// The only way to fail a write without being root is one that root is not spared either: a folder for a name.
#[tokio::test]
async fn a_place_that_is_taken_meanwhile_costs_nothing_that_arrived() {
    let disks = Disks::new();
    disks.write("file", pattern(100_000));
    let there = disks.there("file");
    let folder = disks.folder();
    let pair = Pair::receiving(move |incoming| {
        let (folder, there) = (folder.clone(), there.clone());
        async move {
            let received = incoming.receive_with(&folder, |progress| {
                if progress.bytes > 0 && !there.exists() {
                    fs::write(&there, "of somebody else").unwrap();
                }
            });
            received.await
        }
    })
    .await;
    let mut sending = disks.sending("file").await;
    within(pair.link.send_files(&mut sending)).await.unwrap();
    let out = sending.outcome().named.first().unwrap().clone();
    assert_eq!((&*out.name, &*out.reason), ("file", "exists"));
    assert_eq!(disks.received("file"), b"of somebody else");
    assert_eq!(disks.parts().len(), 2, "the part and its journal are kept");
    fs::remove_file(disks.there("file")).unwrap();
    let mut sending = disks.sending("file").await;
    let mut first = None;
    let sent = pair.link.send_files_with(&mut sending, |progress| {
        first.get_or_insert(progress.bytes);
    });
    within(sent).await.unwrap();
    assert_eq!(first, Some(100_000), "nothing is sent twice");
}

#[tokio::test]
async fn a_part_that_cannot_be_written_ends_the_transfer_and_is_said() {
    let disks = Disks::new();
    disks.write("file", pattern(100_000));
    let pair = Pair::new(disks.folder()).await;
    fs::remove_dir_all(disks.there(telehash_channel_files::PARTS_FOLDER)).unwrap();
    let mut sending = disks.sending("file").await;
    let error = within(pair.link.send_files(&mut sending))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, FilesError::Refused(why) if why == "disk failed"),
        "{error}"
    );
    let error = pair.ended().await.unwrap_err();
    assert!(matches!(&error, FilesError::Disk { .. }), "{error}");
}

#[test]
fn a_folder_that_is_none_is_said_at_once() {
    let disks = Disks::new();
    let error = Folder::open(disks.there("none")).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
    let file = disks.write("file", "");
    Folder::open(file).unwrap_err();
}
