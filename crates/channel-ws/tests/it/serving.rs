//! Who is served, and who is not.

use telehash_channel_ws::limits::MAX_SOCKETS_PER_PEER;
use telehash_channel_ws::{
    IncomingWs, LinkWsExt as _, Message, OTHER_TYPE, WsError, WsRequest, WsRoutes,
};
use telehash_runtime::{Open, Packet};

use crate::common::{Pair, echo};

async fn say_path(incoming: IncomingWs) -> Result<(), WsError> {
    let path = incoming.request().target().to_owned();
    let mut ws = incoming.accept().await?;
    ws.send(path).await?;
    ws.close(None).await
}

fn refusal(result: Result<telehash_channel_ws::WebSocket, WsError>) -> String {
    match result {
        Err(WsError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn paths_go_to_their_handlers_and_others_are_not_found() {
    let routes = WsRoutes::new()
        .path("/echo", echo)
        .under("/rooms/", say_path)
        .under("/rooms/closed/", async |ws: IncomingWs| {
            ws.refuse("closed today");
        });
    let pair = Pair::new(routes).await;
    let mut ws = pair.link.ws("/rooms/7?as=guest").await.unwrap();
    let said = ws.recv().await.unwrap();
    assert_eq!(said, Some(Message::text("/rooms/7?as=guest")));
    assert!(pair.link.ws("/echo?x").await.is_ok());
    assert_eq!(refusal(pair.link.ws("/echo/more").await), "not found");
    assert_eq!(refusal(pair.link.ws("/").await), "not found");
    assert_eq!(
        refusal(pair.link.ws("/rooms/closed/1").await),
        "closed today"
    );
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_are_refused_unless_they_are_allowed() {
    let routes = WsRoutes::new().path("/", echo);
    let routes = routes.allow_origin("https://good.example");
    let pair = Pair::new(routes).await;
    let from = |origin: &str| pair.link.ws(WsRequest::new("/").origin(origin));
    assert!(from("https://good.example").await.is_ok());
    assert_eq!(refusal(from("https://evil.example").await), "forbidden");
    assert_eq!(refusal(from("null").await), "forbidden");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_served_who_was_not_told_to() {
    let pair = Pair::new(WsRoutes::new()).await;
    assert_eq!(refusal(pair.link.ws("/").await), "not found");
    pair.server.remove_handler("ts");
    assert_eq!(refusal(pair.link.ws("/").await), "unknown type");
}

#[tokio::test(start_paused = true)]
async fn the_other_name_of_the_type_is_served_too() {
    let pair = Pair::new(WsRoutes::new().path("/", echo)).await;
    let mut channel = pair.link.open(Open::reliable(OTHER_TYPE)).await.unwrap();
    let answer = channel.recv().await.unwrap().unwrap();
    assert_eq!(answer.head.unwrap().get("open"), Some(&true.into()));
    let head = serde_json::json!({ "done": true, "text": true });
    let packet = Packet::new("hi").head(head.as_object().unwrap().clone());
    channel.send(packet.clone()).await.unwrap();
    let echoed = channel.recv().await.unwrap().unwrap();
    assert_eq!(echoed.body, "hi");
    assert_eq!(echoed.head.unwrap().get("text"), Some(&true.into()));
}

#[tokio::test(start_paused = true)]
async fn one_peer_has_no_more_than_its_share() {
    let pair = Pair::new(WsRoutes::new().path("/", echo)).await;
    let mut open = Vec::new();
    for _ in 0..MAX_SOCKETS_PER_PEER {
        open.push(pair.link.ws("/").await.unwrap());
    }
    assert_eq!(refusal(pair.link.ws("/").await), "busy");
    open.pop().unwrap().close(None).await.unwrap();
    // Its place is free once its handler has returned.
    while pair.link.ws("/").await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
