//! quinn: its connections and endpoints, without its sockets.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use quinn_proto::{
    Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig, Event, StreamId,
};

use super::{
    super::{
        contender::Kind,
        quinn_end::{client_config, server_config},
        wires::Way,
    },
    Departing, Pair, Pings,
};

/// Datagrams that it may make at once, as many as it does with its sockets.
const BATCH: usize = 10;

pub(super) struct QuinnPair {
    near: End,
    far: End,
    epoch: Instant,
    up: bool,
    bulk: Option<StreamId>,
    echo: Option<StreamId>,
    arrived: u64,
    pings: Pings,
    unechoed: usize,
    chunk: Vec<u8>,
}

struct End {
    way: Way,
    endpoint: Endpoint,
    peer: SocketAddr,
    connection: Option<(ConnectionHandle, Connection)>,
}

impl QuinnPair {
    pub(super) fn new(kind: Kind) -> Result<Self> {
        let (server, certificate) = server_config(kind)?;
        let places = [1, 2].map(|host| SocketAddr::from(([10, 0, 0, host], 4433)));
        let epoch = Instant::now();
        let endpoint = |server| {
            let config = Arc::new(EndpointConfig::default());
            Endpoint::new(config, server, true, Some([7; 32]))
        };
        let (mut near, far) = (endpoint(None), endpoint(Some(Arc::new(server))));
        let client = client_config(kind, &certificate)?;
        let connection = near.connect(epoch, client, places[1], "localhost")?;
        Ok(Self {
            near: End {
                way: Way::Forth,
                endpoint: near,
                peer: places[1],
                connection: Some(connection),
            },
            far: End {
                way: Way::Back,
                endpoint: far,
                peer: places[0],
                connection: None,
            },
            epoch,
            up: false,
            bulk: None,
            echo: None,
            arrived: 0,
            pings: Pings::default(),
            unechoed: 0,
            chunk: vec![0x5a; 64 << 10],
        })
    }

    /// What the application of the client does.
    fn near_app(&mut self, now: Duration) -> Result<()> {
        self.up |= self.near.is_up()?;
        let Some((_, connection)) = self.near.connection.as_mut().filter(|_| self.up) else {
            return Ok(());
        };
        if self.bulk.is_none() {
            self.bulk = connection.streams().open(Dir::Bi);
            self.echo = connection.streams().open(Dir::Bi);
        }
        let (bulk, echo) = self.bulk.zip(self.echo).context("no streams")?;
        while write(connection, bulk, &self.chunk) == self.chunk.len() {}
        self.pings.begin(now);
        if self.pings.unsent > 0 {
            self.pings.unsent -= write(connection, echo, &self.chunk[..self.pings.unsent]);
        }
        let came = read(connection, echo);
        if came > 0 {
            self.pings.came(now, came);
        }
        Ok(())
    }

    /// What the application of the server does.
    fn far_app(&mut self) -> Result<()> {
        self.far.is_up()?;
        let Some((_, connection)) = &mut self.far.connection else {
            return Ok(());
        };
        while connection.streams().accept(Dir::Bi).is_some() {}
        let Some((bulk, echo)) = self.bulk.zip(self.echo) else {
            return Ok(());
        };
        self.arrived += read(connection, bulk) as u64;
        self.unechoed += read(connection, echo);
        if self.unechoed > 0 {
            let unechoed = self.unechoed.min(self.chunk.len());
            self.unechoed -= write(connection, echo, &self.chunk[..unechoed]);
        }
        Ok(())
    }
}

/// Writes what fits; a stream that is not there yet takes nothing.
fn write(connection: &mut Connection, stream: StreamId, bytes: &[u8]) -> usize {
    connection.send_stream(stream).write(bytes).unwrap_or(0)
}

/// Reads and drops all there is; says how much.
fn read(connection: &mut Connection, stream: StreamId) -> usize {
    let mut receive = connection.recv_stream(stream);
    let Ok(mut chunks) = receive.read(true) else {
        return 0;
    };
    let mut bytes = 0;
    while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
        bytes += chunk.bytes.len();
    }
    // All is transmitted afterwards anyway.
    let _should_transmit = chunks.finalize();
    bytes
}

impl End {
    /// Whether the connection came up just now.
    fn is_up(&mut self) -> Result<bool> {
        let mut up = false;
        let Some((_, connection)) = &mut self.connection else {
            return Ok(false);
        };
        while let Some(event) = connection.poll() {
            match event {
                Event::Connected => up = true,
                Event::ConnectionLost { reason } => bail!("quinn's connection is lost: {reason}"),
                _ => {}
            }
        }
        Ok(up)
    }

    fn handle(&mut self, now: Instant, datagram: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let event = self
            .endpoint
            .handle(now, self.peer, None, None, datagram.into(), out);
        match event {
            Some(DatagramEvent::NewConnection(incoming)) if self.connection.is_none() => {
                let accepted = self.endpoint.accept(incoming, now, out, None);
                self.connection = Some(accepted.ok().context("quinn refused its client")?);
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.endpoint.ignore(incoming),
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = &mut self.connection {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::Response(_)) | None => {}
        }
        Ok(())
    }

    /// Whether anything was sent.
    fn transmit(&mut self, now: Instant, departing: &mut Departing) -> bool {
        let Some((handle, connection)) = &mut self.connection else {
            return false;
        };
        if connection.poll_timeout().is_some_and(|due| due <= now) {
            connection.handle_timeout(now);
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        let mut busy = false;
        let mut datagrams = Vec::new();
        while let Some(transmit) = connection.poll_transmit(now, BATCH, &mut datagrams) {
            let size = transmit.segment_size.unwrap_or(transmit.size).max(1);
            let segments = datagrams[..transmit.size].chunks(size);
            departing.extend(segments.map(|segment| (self.way, segment.to_vec())));
            datagrams.clear();
            busy = true;
        }
        busy
    }

    fn next(&mut self) -> Option<Instant> {
        self.connection.as_mut()?.1.poll_timeout()
    }
}

impl Pair for QuinnPair {
    fn handle(&mut self, now: Duration, way: Way, datagram: &[u8]) -> Result<()> {
        let end = match way {
            Way::Forth => &mut self.far,
            Way::Back => &mut self.near,
        };
        // Answers outside of connections are for strangers.
        end.handle(self.epoch + now, datagram, &mut Vec::new())
    }

    fn work(&mut self, now: Duration, out: &mut Departing) -> Result<()> {
        loop {
            self.near_app(now)?;
            self.far_app()?;
            let instant = self.epoch + now;
            let busy = [
                self.near.transmit(instant, out),
                self.far.transmit(instant, out),
            ];
            if busy == [false; 2] {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Option<Duration> {
        let ends = [&mut self.near, &mut self.far].map(End::next);
        let timeouts = ends.into_iter().flatten();
        let timeouts = timeouts.map(|due| due.saturating_duration_since(self.epoch));
        timeouts.chain(self.pings.next().filter(|_| self.up)).min()
    }

    fn arrived(&self) -> u64 {
        self.arrived
    }

    fn ping(&mut self) {
        self.pings.on = true;
    }

    fn pings(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.pings.times)
    }
}
