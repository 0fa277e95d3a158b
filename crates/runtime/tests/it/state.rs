//! What survives from one run to the next.

use telehash_runtime::limits::SAVE_RETRY;
use telehash_runtime::state::{StateError, Trust};
use telehash_runtime::{Accept, BuildError, Mesh, MeshEvent};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{PATIENCE, endpoint, event};

#[tokio::test(start_paused = true)]
async fn identity_and_known_links_survive_a_restart() {
    let network = MemoryNetwork::new(1);
    let dir = tempfile::tempdir().unwrap();
    let run = || endpoint(&network).state_dir(dir.path()).build();
    let friend = endpoint(&network)
        .accept(Accept::All)
        .build()
        .await
        .unwrap();

    let first = run().await.unwrap();
    let hashname = first.hashname();
    first.known().remember(friend.local_link_json()).unwrap();
    first
        .known()
        .set_alias(friend.hashname(), Some("friend"))
        .unwrap();
    first
        .known()
        .set_trust(friend.hashname(), Trust::Trusted)
        .unwrap();
    first
        .link("friend")
        .await
        .unwrap()
        .wait_up(PATIENCE)
        .await
        .unwrap();
    let at = first.known().get(&friend.hashname()).unwrap().at;
    assert!(at > 0, "the highest `at` is remembered");
    first.close().await;

    let second = run().await.unwrap();
    assert_eq!(second.hashname(), hashname);
    let known = second.known().get(&friend.hashname()).unwrap();
    assert_eq!(
        (known.alias.as_deref(), known.trust),
        (Some("friend"), Trust::Trusted)
    );
    assert!(known.at >= at);
    second
        .link("friend")
        .await
        .unwrap()
        .wait_up(PATIENCE)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_mesh_at_a_time_uses_a_state_directory() {
    let network = MemoryNetwork::new(1);
    let dir = tempfile::tempdir().unwrap();
    let first = endpoint(&network)
        .state_dir(dir.path())
        .build()
        .await
        .unwrap();
    let error = endpoint(&network)
        .state_dir(dir.path())
        .build()
        .await
        .unwrap_err();
    assert!(
        matches!(error, BuildError::State(StateError::Locked { .. })),
        "{error}"
    );
    first.close().await;
    endpoint(&network)
        .state_dir(dir.path())
        .build()
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn changes_are_written_while_the_mesh_runs() {
    let network = MemoryNetwork::new(1);
    let dir = tempfile::tempdir().unwrap();
    let mesh = endpoint(&network)
        .state_dir(dir.path())
        .build()
        .await
        .unwrap();
    let other = endpoint(&network).build().await.unwrap();
    mesh.known()
        .set_trust(other.hashname(), Trust::Blocked)
        .unwrap();
    let path = dir.path().join("links.json");
    while !path.exists() {
        tokio::time::sleep(telehash_runtime::limits::SAVE_DELAY).await;
    }
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        text.contains(&other.hashname().to_string()) && text.contains("blocked"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_of_a_later_version_is_not_touched() {
    let network = MemoryNetwork::new(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("links.json");
    std::fs::write(&path, r#"{"version":9}"#).unwrap();
    let error = endpoint(&network)
        .state_dir(dir.path())
        .build()
        .await
        .unwrap_err();
    assert!(
        matches!(error, BuildError::State(StateError::FutureVersion { .. })),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(path).unwrap(), r#"{"version":9}"#);
}

#[tokio::test(start_paused = true)]
async fn without_a_state_directory_each_mesh_is_somebody_new() {
    let network = MemoryNetwork::new(1);
    let build = || async { endpoint(&network).build().await.unwrap().hashname() };
    assert_ne!(build().await, build().await);
    let identity = telehash_runtime::generate_identity(
        &telehash_e3x::CipherSets::default(),
        [telehash_hashname::Csid::CS3A],
    )
    .unwrap();
    let mesh = Mesh::builder()
        .transport(network.endpoint())
        .identity(identity.clone());
    assert_eq!(mesh.build().await.unwrap().hashname(), identity.hashname());
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_saved_is_saved_once_that_is_possible() {
    let network = MemoryNetwork::new(1);
    let dir = tempfile::tempdir().unwrap();
    let mesh = endpoint(&network).state_dir(dir.path()).build();
    let mesh = mesh.await.unwrap();
    // No file can take the place of a directory that is not empty.
    let file = dir.path().join("links.json");
    let _ = std::fs::remove_file(&file);
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    let mut events = mesh.events();
    let name = telehash_hashname::Hashname::from_bytes([7; 32]);
    mesh.known().set_alias(name, Some("late")).unwrap();
    let error = event(&mut events, |event| match event {
        MeshEvent::StateNotSaved { error } => Some(error),
        _ => None,
    });
    assert!(error.await.contains("links.json"));
    std::fs::remove_dir_all(&file).unwrap();
    while !file.is_file() {
        tokio::time::sleep(SAVE_RETRY).await;
    }
    let saved = std::fs::read_to_string(&file).unwrap();
    assert!(saved.contains("late"), "{saved}");
    mesh.close().await;
}
