//! How to test an application of the mesh: endpoints on a network within the process, in paused time, as bad as the
//! test wants it.

use std::time::Duration;

use mesh::HandlerError;
use mesh::prelude::*;
use mesh::transport::impair::{Conditions, Loss};
use mesh::transport::memory::MemoryNetwork;

/// What is tested: an endpoint that greets whoever opens a `greeting`.
fn greeter() -> mesh::Builder {
    mesh::builder()
        .accept(Accept::All)
        .on_open("greeting", greet)
}

async fn greet(channel: IncomingChannel) -> Result<(), HandlerError> {
    let mut channel = channel.accept()?;
    while let Some(packet) = channel.recv().await? {
        let name = String::from_utf8_lossy(&packet.body).into_owned();
        channel.send(Packet::new(format!("hello, {name}"))).await?;
    }
    channel.end()?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn everybody_is_greeted_though_a_tenth_of_the_packets_is_lost() {
    let network = MemoryNetwork::new(1);
    let mobile = Conditions::perfect()
        .with_loss(Loss::Random(0.1))
        .with_delay(Duration::from_millis(50));
    network.set_conditions(&mobile);
    let server = greeter()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();
    let client = mesh::builder()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();

    let link = client.link(server.local_link_json()).await.unwrap();
    link.wait_up(Duration::from_secs(60)).await.unwrap();
    let mut channel = link.open(Open::reliable("greeting")).await.unwrap();
    for name in ["ann", "bob", "cyd"] {
        channel.send(Packet::new(name)).await.unwrap();
        let answer = channel.recv().await.unwrap().unwrap();
        assert_eq!(answer.body, format!("hello, {name}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_behind_a_dead_network_is_not_waited_for_without_end() {
    let network = MemoryNetwork::new(2);
    let server = greeter()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();
    network.set_conditions(&Conditions::perfect().with_loss(Loss::Random(1.0)));
    let client = mesh::builder()
        .transport(network.endpoint())
        .build()
        .await
        .unwrap();
    let link = client.link(server.local_link_json()).await.unwrap();
    assert!(link.wait_up(Duration::from_secs(60)).await.is_err());
}
