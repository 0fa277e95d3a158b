//! A part that is written on another thread while more of it arrives.

use std::io;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::part::Part;

/// Writes one block while the next one is being filled.
pub(crate) struct Writing(State);

enum State {
    Idle(Part, Vec<u8>),
    /// If this is dropped, the block is written nevertheless, and the part noted.
    Busy(JoinHandle<(Part, Vec<u8>, io::Result<()>)>),
    Failed,
}

impl Writing {
    pub(crate) fn new(part: Part) -> Self {
        Self(State::Idle(part, Vec::new()))
    }

    /// Has a block written, and leaves an empty one in its place. An error may be that of the block before.
    pub(crate) async fn write(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        let (mut part, mut full) = self.idle().await?;
        std::mem::swap(block, &mut full);
        self.0 = State::Busy(spawn_blocking(move || {
            let written = part.write(&full);
            full.clear();
            (part, full, written)
        }));
        Ok(())
    }

    /// The part, once everything is written.
    pub(crate) async fn finish(mut self) -> io::Result<Part> {
        self.idle().await.map(|(part, _)| part)
    }

    async fn idle(&mut self) -> io::Result<(Part, Vec<u8>)> {
        match std::mem::replace(&mut self.0, State::Failed) {
            State::Idle(part, block) => Ok((part, block)),
            State::Busy(task) => {
                let (part, block, written) = task.await.map_err(io::Error::other)?;
                written.map(|()| (part, block))
            }
            State::Failed => Err(io::Error::other("it has failed already")),
        }
    }
}
