//! Which letters came, and which of them the application has.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telehash_hashname::Hashname;
use tokio::sync::watch;

use super::now;
use crate::id::MessageId;
use crate::letter::Letter;
use crate::log::Log;
use crate::seen::{Seen, Standing};

/// Which letter: of whom, and its name.
type Key = (Hashname, MessageId);

/// What a mailbox remembers.
#[derive(Default)]
pub(crate) struct Memory {
    known: Mutex<Known>,
    /// The same on disk.
    log: Option<Mutex<Log>>,
}

#[derive(Default)]
struct Known {
    seen: Seen,
    /// Not taken by the application yet; tells once it is.
    waiting: HashMap<Key, watch::Receiver<bool>>,
}

/// What is to be done about a letter.
pub(super) enum Admission {
    /// It is to be handed to the application, which then tells.
    New(Box<Arrived>, watch::Receiver<bool>),
    /// It came another way, too, and the application has not taken it yet.
    Waits(watch::Receiver<bool>),
    /// It was taken before.
    Old,
    /// It is [not to be taken now](Standing::Refused).
    Refused,
}

/// A letter that the application has seen and not taken yet; made by
/// [`Mailbox::next`](crate::Mailbox::next).
///
/// If it is dropped, the letter stays where it is, and comes again when it is told of again.
#[derive(Debug)]
#[must_use = "the letter comes again unless it is taken"]
pub struct Arrived {
    letter: Letter,
    memory: Arc<Memory>,
    taken: watch::Sender<bool>,
}

impl Memory {
    /// That of an earlier program, and of later ones.
    pub(super) fn in_file(path: &Path) -> io::Result<Self> {
        let (log, seen) = Log::open(path, now())?;
        let known = Known {
            seen,
            ..Known::default()
        };
        Ok(Self {
            known: Mutex::new(known),
            log: Some(Mutex::new(log)),
        })
    }

    pub(super) fn admit(self: &Arc<Self>, letter: Letter) -> Admission {
        let key = (letter.from, letter.id);
        let mut known = self.known();
        if let Some(taken) = known.waiting.get(&key) {
            return Admission::Waits(taken.clone());
        }
        let message = (letter.from, letter.at, letter.id);
        match known.seen.standing(message, now()) {
            Standing::New => {}
            Standing::Taken => return Admission::Old,
            Standing::Refused => return Admission::Refused,
        }
        let (tell, taken) = watch::channel(false);
        known.waiting.insert(key, taken.clone());
        let arrived = Arrived {
            letter,
            memory: self.clone(),
            taken: tell,
        };
        Admission::New(Box::new(arrived), taken)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes it down. Takes as long as the disk does.
    fn note(&self, letter: &Letter) -> io::Result<()> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let message = (letter.from, letter.at, letter.id);
        log.add(message)?;
        let mut known = self.known();
        known.seen.take(message, now());
        if log.is_long() {
            log.shorten(&known.seen)?;
        }
        Ok(())
    }
}

impl Arrived {
    /// What it says.
    #[must_use]
    pub fn letter(&self) -> &Letter {
        &self.letter
    }

    /// Takes the letter: it is remembered, caches drop it, and a sender who delivers it directly is
    /// told.
    ///
    /// Not cancel-safe: if the future is dropped, it may have been taken.
    ///
    /// # Errors
    /// The mailbox [remembers in a file](crate::MailboxOptions::remember_in), which cannot be written:
    /// the letter is not taken.
    pub async fn take(self) -> io::Result<()> {
        if self.memory.log.is_some() {
            let (memory, letter) = (self.memory.clone(), self.letter.clone());
            let noted = tokio::task::spawn_blocking(move || memory.note(&letter));
            noted.await.map_err(io::Error::other)??;
        }
        self.settle();
        Ok(())
    }

    /// Remembers it until the program ends, and tells whoever waits for that.
    pub(super) fn settle(self) {
        let letter = &self.letter;
        let mut known = self.memory.known();
        known.seen.take((letter.from, letter.at, letter.id), now());
        known.waiting.remove(&(letter.from, letter.id));
        self.taken.send_replace(true);
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        if !*self.taken.borrow() {
            let key = (self.letter.from, self.letter.id);
            self.memory.known().waiting.remove(&key);
        }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}
