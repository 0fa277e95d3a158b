//! UDP sockets of ours: each program that sends there gets a flow of its own, and the answers to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::sock::SockError;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::spec::{HostPort, Rule};
use super::way::{Way, first_there, in_use};
use crate::failure::Failure;

/// Flows of one socket at once; at the limit the one that was quiet for longest makes room. Far fewer than
/// the tunnels that a peer makes for us: TCP needs places, too.
const MAX_FLOWS: usize = 64;

/// Datagrams of one flow that wait to be sent; more are lost, as in a full socket buffer.
const FLOW_CAPACITY: usize = 64;

/// Limit: how long a flow lives without a datagram in either direction.
const FLOW_IDLE: Duration = Duration::from_secs(60);

/// How long what a program sends is dropped once it was refused, before the peer is asked again.
const REFUSED: Duration = Duration::from_secs(5);

/// Longest datagram, in bytes: what UDP can carry.
const LONGEST: usize = 65_535;

/// `-U`: every datagram goes to one place, and the answers come back.
pub(super) async fn forward(rule: Rule, way: Way) -> Failure {
    let Rule { bind, to } = rule;
    let socket = match first_there(&bind, UdpSocket::bind::<SocketAddr>).await {
        Ok(socket) => Arc::new(socket),
        Err(error) => return in_use(&bind, "UDP", &error),
    };
    match socket.local_addr() {
        Ok(at) => way.listening("udp", &at, Some(&to)).await,
        Err(error) => return Failure::failed(error),
    }
    let mut flows = Flows::default();
    let mut datagram = vec![0; LONGEST];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut datagram) => match received {
                Ok((count, from)) => {
                    let data = Bytes::copy_from_slice(&datagram[..count]);
                    let (socket, to, way) = (socket.clone(), to.clone(), way.clone());
                    flows.pass_on(from, data, |queue| flow(socket, from, to, way, queue));
                }
                // An earlier answer met a closed port.
                Err(error) => tracing::debug!(%error, "a UDP socket"),
            },
            Some(ended) = flows.tasks.join_next_with_id() => flows.forget(ended),
        }
    }
}

/// The programs that send to one socket.
#[derive(Default)]
struct Flows {
    table: HashMap<SocketAddr, Flow>,
    tasks: JoinSet<()>,
}

struct Flow {
    queue: mpsc::Sender<Bytes>,
    used: Instant,
    task: AbortHandle,
}

impl Flows {
    /// Hands a datagram to the flow of its sender, which is begun if there is none.
    fn pass_on<Fut>(
        &mut self,
        from: SocketAddr,
        data: Bytes,
        begin: impl FnOnce(mpsc::Receiver<Bytes>) -> Fut,
    ) where
        Fut: Future<Output = ()> + Send + 'static,
    {
        if !self.table.contains_key(&from) {
            self.make_room();
        }
        let tasks = &mut self.tasks;
        let flow = self.table.entry(from).or_insert_with(|| {
            let (queue, datagrams) = mpsc::channel(FLOW_CAPACITY);
            Flow {
                queue,
                used: Instant::now(),
                task: tasks.spawn(begin(datagrams)),
            }
        });
        flow.used = Instant::now();
        // A flow that is over, or too slow, loses it: that is what UDP does.
        let _ = flow.queue.try_send(data);
    }

    fn make_room(&mut self) {
        if self.table.len() < MAX_FLOWS {
            return;
        }
        let quietest = self.table.iter().min_by_key(|(_, flow)| flow.used);
        if let Some(flow) = quietest
            .map(|(from, _)| *from)
            .and_then(|from| self.table.remove(&from))
        {
            flow.task.abort();
        }
    }

    /// Takes one that has ended, for whatever reason, out of the table.
    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.table.retain(|_, flow| flow.task.id() != id);
    }
}

/// One flow, until it is quiet for long.
async fn flow(
    socket: Arc<UdpSocket>,
    from: SocketAddr,
    to: HostPort,
    way: Way,
    mut queue: mpsc::Receiver<Bytes>,
) {
    let Some(peer) = way.datagrams(&to).await else {
        return sleep(REFUSED).await;
    };
    let mut quiet = Box::pin(sleep(FLOW_IDLE));
    loop {
        tokio::select! {
            Some(data) = queue.recv() => match peer.send(data).await {
                Ok(()) => {}
                // One that is too large is lost, as it is where a network has no room for it.
                Err(error @ SockError::TooLarge { .. }) => way.tell_failed(&to, &error).await,
                Err(_) => return,
            },
            answer = peer.recv() => match answer {
                // A program that is gone is no reason to end: its port may be taken again.
                Some(data) => drop(socket.send_to(&data, from).await),
                None => return,
            },
            () = &mut quiet => return,
        }
        quiet.as_mut().reset(Instant::now() + FLOW_IDLE);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::super::way::tests::way;
    use super::*;

    fn from(port: usize) -> SocketAddr {
        ([127, 0, 0, 1], port as u16 + 1).into()
    }

    #[tokio::test(start_paused = true)]
    async fn of_more_flows_than_the_limit_the_one_that_was_quiet_for_longest_makes_room() {
        let mut flows = Flows::default();
        for port in 0..MAX_FLOWS {
            flows.pass_on(from(port), Bytes::new(), |_| pending());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        flows.pass_on(from(0), Bytes::new(), |_| pending());
        flows.pass_on(from(MAX_FLOWS), Bytes::new(), |_| pending());
        assert_eq!(flows.table.len(), MAX_FLOWS);
        assert!(flows.table.contains_key(&from(0)) && !flows.table.contains_key(&from(1)));
        let ended = flows.tasks.join_next_with_id().await.unwrap();
        assert!(ended.as_ref().unwrap_err().is_cancelled());
        flows.forget(ended);
        assert_eq!(flows.table.len(), MAX_FLOWS, "it is gone only once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flow_ends_once_it_was_quiet_for_long_and_what_moves_keeps_it() {
        let (news, _told) = mpsc::channel(1);
        let (way, _ends) = way(news).await;
        let (program, place) = (bound().await, bound().await);
        let socket = Arc::new(bound().await);
        let to = place.local_addr().unwrap().to_string().parse().unwrap();
        let (queue, datagrams) = mpsc::channel(FLOW_CAPACITY);
        let from = program.local_addr().unwrap();
        let running = tokio::spawn(flow(socket, from, to, way, datagrams));
        let begun = Instant::now();
        sleep(FLOW_IDLE * 3 / 4).await;
        queue.send(Bytes::from_static(b"x")).await.unwrap();
        running.await.unwrap();
        let lived = begun.elapsed();
        assert!(
            lived >= FLOW_IDLE * 7 / 4 && lived < FLOW_IDLE * 2,
            "{lived:?}"
        );
    }

    async fn bound() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    #[tokio::test]
    async fn a_flow_that_is_over_makes_room_for_the_next_of_its_sender() {
        let mut flows = Flows::default();
        flows.pass_on(from(1), Bytes::new(), |_| async {});
        let ended = flows.tasks.join_next_with_id().await.unwrap();
        flows.forget(ended);
        assert!(flows.table.is_empty());
    }

    #[tokio::test]
    async fn one_datagram_more_than_a_slow_flow_may_keep_is_lost() {
        let mut flows = Flows::default();
        let (mut kept, mut queue) = (0, None);
        for _ in 0..=FLOW_CAPACITY {
            flows.pass_on(from(1), Bytes::new(), |datagrams| {
                queue = Some(datagrams);
                pending()
            });
        }
        let mut queue = queue.unwrap();
        while queue.try_recv().is_ok() {
            kept += 1;
        }
        assert_eq!(kept, FLOW_CAPACITY);
    }
}
