//! One suite over a lossy network and over UDP.

use std::time::{Duration, SystemTime};

use telehash_channel_files::{FilesError, LinkFilesExt as _, Progress, Sending};
use telehash_runtime::Mesh;
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use telehash_transport_udp::{UdpConfig, UdpTransport};

use crate::common::{Disks, Pair, pattern, tree, within};

/// A folder with files of many sizes, an empty folder and an empty file arrives as it is.
async fn folders(pair: Pair, disks: &Disks) {
    for (number, size) in [0, 1, 1000, 70_000, 524_288, 524_289, 1_500_000]
        .into_iter()
        .enumerate()
    {
        disks.write(&format!("tree/{number}/file {size}"), pattern(size));
    }
    for number in 0..200 {
        disks.write(&format!("tree/small/{number}"), pattern(number));
    }
    std::fs::create_dir(disks.here.path().join("tree/empty")).unwrap();
    let mut sending = disks.sending("tree").await;
    let mut last = Progress::default();
    let sent = pair.link.send_files_with(&mut sending, |progress| {
        assert!(progress.bytes >= last.bytes && progress.files >= last.files);
        last = progress;
    });
    within(sent).await.unwrap();
    assert_eq!(
        (last.files, last.bytes),
        (last.total_files, last.total_bytes)
    );
    let outcome = sending.outcome().clone();
    assert_eq!((outcome.stored, outcome.left_out), (last.total_files, 0));
    assert_eq!(pair.ended().await.unwrap(), outcome, "both ends agree");
    assert!(tree(disks.here.path()) == tree(disks.there.path()));
    assert!(disks.parts().is_empty(), "{:?}", disks.parts());
    pair.close().await;
}

#[tokio::test]
async fn folders_arrive_over_a_lossy_network() {
    let disks = Disks::new();
    let pair = Pair::new(disks.folder()).await;
    let lossy = Conditions::perfect().with_loss(Loss::Random(0.05));
    pair.network.set_conditions(&lossy);
    folders(pair, &disks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_arrive_over_udp() {
    let disks = Disks::new();
    let address = "127.0.0.1:0".parse().unwrap();
    let udp = async || {
        let transport = UdpTransport::bind(&UdpConfig::at(address)).await.unwrap();
        Mesh::builder().transport(transport)
    };
    let folder = disks.folder();
    let pair = Pair::over(
        MemoryNetwork::new(1),
        udp().await,
        udp().await,
        move |incoming| {
            let folder = folder.clone();
            async move { incoming.receive(&folder).await }
        },
    );
    folders(pair.await, &disks).await;
}

#[tokio::test]
async fn times_and_programs_are_kept() {
    let disks = Disks::new();
    let path = disks.write("program", "#!/bin/sh\n");
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(std::fs::Permissions::from_mode(0o755))
            .unwrap();
    }
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("program").await;
    within(pair.link.send_files(&mut sending)).await.unwrap();
    let about = disks.there("program").metadata().unwrap();
    assert_eq!(about.modified().unwrap(), modified);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(about.permissions().mode() & 0o100, 0o100);
    }
}

#[tokio::test]
async fn what_is_there_already_is_compared_and_neither_sent_nor_replaced() {
    let disks = Disks::new();
    for name in ["tree/same", "tree/other", "tree/shorter", "tree/new"] {
        disks.write(name, pattern(100_000));
    }
    std::fs::create_dir(disks.there("tree")).unwrap();
    std::fs::write(disks.there("tree/same"), pattern(100_000)).unwrap();
    std::fs::write(disks.there("tree/other"), vec![7; 100_000]).unwrap();
    std::fs::write(disks.there("tree/shorter"), "short").unwrap();
    let pair = Pair::new(disks.folder()).await;
    let mut sending = disks.sending("tree").await;
    within(pair.link.send_files(&mut sending)).await.unwrap();
    let outcome = sending.outcome();
    let named: Vec<_> = { &outcome.named }
        .iter()
        .map(|out| (&*out.name, &*out.reason))
        .collect();
    assert_eq!(
        named,
        [("tree/shorter", "exists"), ("tree/other", "exists")]
    );
    assert_eq!((outcome.stored, outcome.left_out), (3, 2));
    assert!(disks.received("tree/other") == vec![7; 100_000]);
    assert_eq!(disks.received("tree/shorter"), b"short");
    assert!(disks.received("tree/new") == pattern(100_000));
}

#[tokio::test]
async fn files_are_replaced_when_that_is_asked_for_and_folders_never() {
    let disks = Disks::new();
    for name in ["tree/same", "tree/other", "tree/shorter", "tree/folder"] {
        disks.write(name, pattern(100_000));
    }
    std::fs::create_dir_all(disks.there("tree/folder/full")).unwrap();
    std::fs::write(disks.there("tree/same"), pattern(100_000)).unwrap();
    std::fs::write(disks.there("tree/other"), vec![7; 100_000]).unwrap();
    std::fs::write(disks.there("tree/shorter"), "short").unwrap();
    let pair = Pair::new(disks.folder().replace(true)).await;
    let mut sending = disks.sending("tree").await;
    within(pair.link.send_files(&mut sending)).await.unwrap();
    let left: Vec<_> = { &sending.outcome().named }
        .iter()
        .map(|out| &*out.name)
        .collect();
    assert_eq!(left, ["tree/folder"]);
    for name in ["tree/same", "tree/other", "tree/shorter"] {
        assert!(disks.received(name) == pattern(100_000), "{name}");
    }
    assert!(disks.there("tree/folder/full").is_dir());
}

#[tokio::test]
async fn without_a_receiver_everything_is_refused() {
    let network = MemoryNetwork::new(1);
    let server = Mesh::builder().transport(network.endpoint());
    let server = server
        .accept(telehash_runtime::Accept::All)
        .build()
        .await
        .unwrap();
    let client = Mesh::builder()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    let disks = Disks::new();
    let mut sending = Sending::new([disks.write("file", "x")]).await.unwrap();
    let error = within(link.send_files(&mut sending)).await.unwrap_err();
    assert!(
        matches!(&error, FilesError::Refused(why) if why == "unknown type"),
        "{error}"
    );
    assert_eq!(sending.progress().bytes, 0);
}
