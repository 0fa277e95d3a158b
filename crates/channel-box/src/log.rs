//! What was taken, in a file: a line for each letter, added before its sender or a cache is told.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use telehash_hashname::Hashname;

use crate::limits::MAX_REMEMBERED;
use crate::seen::{Message, Note, Seen};

/// The first line.
const HEADER: &str = "mesh letters 1";

/// Bytes of the file. A larger one is none of ours, and is refused.
pub(crate) const MAX_FILE: u64 = 32 << 20;

/// A file of notes. One program at a time may have it.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// Bytes that are right.
    length: u64,
    /// Lines.
    notes: usize,
}

impl Log {
    /// Opens it, or makes it, and reads what it remembers. A last line that was not written to its end
    /// is none.
    pub(crate) fn open(path: &Path, now: u64) -> io::Result<(Self, Seen)> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => {
                file.take(MAX_FILE + 1).read_to_end(&mut text)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (seen, lines) = read(&text, now)?;
        // What it does not need is left out every time that it is opened.
        let is_whole = lines <= seen.len() && text.ends_with(b"\n");
        let log = match is_whole {
            true => Self {
                path: path.to_owned(),
                file: private().append(true).open(path)?,
                length: text.len() as u64,
                notes: lines,
            },
            false => Self::write_anew(path, &seen)?,
        };
        Ok((log, seen))
    }

    /// Adds a message. Once this returns it survives a loss of power.
    pub(crate) fn add(&mut self, message: Message) -> io::Result<()> {
        let line = format!("{}\n", line(&Note::Taken(message)));
        let added = self.file.write_all(line.as_bytes());
        if let Err(error) = added.and_then(|()| self.file.sync_data()) {
            // What got there of it would spoil the next line.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        self.notes += 1;
        Ok(())
    }

    /// Whether more is in it than it needs.
    pub(crate) fn is_long(&self) -> bool {
        self.notes > 3 * MAX_REMEMBERED
    }

    /// Leaves out what `seen` does not remember any more.
    pub(crate) fn shorten(&mut self, seen: &Seen) -> io::Result<()> {
        *self = Self::write_anew(&self.path, seen)?;
        Ok(())
    }

    fn write_anew(path: &Path, seen: &Seen) -> io::Result<Self> {
        let mut text = format!("{HEADER}\n");
        let mut notes = 0;
        for note in seen.notes() {
            text.push_str(&line(&note));
            text.push('\n');
            notes += 1;
        }
        let new = path.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private().append(true).create_new(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        #[cfg(unix)]
        File::open(folder_of(path))?.sync_all()?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length: text.len() as u64,
            notes,
        })
    }
}

/// The one that a file is in; of a bare name that is where we are.
#[cfg(unix)]
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// What the owner alone can read: it says whose letters came, and when.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// What the lines say, and how many there are.
fn read(text: &[u8], now: u64) -> io::Result<(Seen, usize)> {
    let mut seen = Seen::default();
    if text.is_empty() {
        return Ok((seen, 0));
    }
    let damaged = |line: usize| {
        let what = format!("line {line} cannot be read: the file is damaged or of a later version");
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    // The first line got there as a whole, with the file.
    let whole = text.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.filter(|_| text.len() as u64 <= MAX_FILE);
    let whole = whole
        .and_then(|end| text.get(..end))
        .ok_or_else(|| damaged(1))?;
    let lines = str::from_utf8(whole).map_err(|_| damaged(1))?;
    let mut notes = 0;
    for (number, line) in lines.split('\n').enumerate() {
        match (number, note(line)) {
            (0, _) if line == HEADER => {}
            (1.., Some(note)) => {
                seen.note(note, now);
                notes += 1;
            }
            _ => return Err(damaged(number + 1)),
        }
    }
    Ok((seen, notes))
}

fn line(note: &Note) -> String {
    match note {
        Note::Taken((from, at, id)) => format!("{from} {at} {id}"),
        Note::Floor(from, floor) => format!("{from} {floor}"),
        Note::Others(floor) => format!("* {floor}"),
    }
}

fn note(line: &str) -> Option<Note> {
    let mut words = line.split(' ');
    let (from, at) = (words.next()?, words.next()?.parse().ok()?);
    let (id, more) = (words.next(), words.next());
    let sender = || from.parse::<Hashname>().ok();
    match (from, id, more) {
        ("*", None, None) => Some(Note::Others(at)),
        (_, None, None) => Some(Note::Floor(sender()?, at)),
        (_, Some(id), None) => Some(Note::Taken((sender()?, at, id.parse().ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BoxId, MessageId};

    const NOW: u64 = 1 << 40;

    fn message(number: u64) -> Message {
        let name = BoxId::from_bytes([0; 8]);
        let id = MessageId::new(&name, &number.to_be_bytes());
        (Hashname::from_bytes([7; 32]), number, id)
    }

    #[test]
    fn what_was_taken_is_remembered_by_the_next_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        let (mut log, seen) = Log::open(&path, NOW).unwrap();
        assert!(seen.is_new(message(1), NOW));
        log.add(message(1)).unwrap();
        log.add(message(2)).unwrap();
        drop(log);
        let (mut log, seen) = Log::open(&path, NOW).unwrap();
        assert!(!seen.is_new(message(1), NOW) && !seen.is_new(message(2), NOW));
        assert!(seen.is_new(message(3), NOW));
        log.add(message(3)).unwrap();
        let (_, seen) = Log::open(&path, NOW).unwrap();
        assert!(!seen.is_new(message(3), NOW));
    }

    #[cfg(unix)]
    #[test]
    fn a_bare_name_is_a_file_where_we_are() {
        assert_eq!(folder_of(Path::new("letters")), Path::new("."));
        assert_eq!(folder_of(Path::new("/a/letters")), Path::new("/a"));
        assert_eq!(folder_of(Path::new("a/letters")), Path::new("a"));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        Log::open(&path, NOW).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_was_not_written_to_its_end_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        let (mut log, _) = Log::open(&path, NOW).unwrap();
        log.add(message(1)).unwrap();
        let whole = fs::read(&path).unwrap();
        log.add(message(2)).unwrap();
        let longer = fs::read(&path).unwrap();
        for length in whole.len()..longer.len() {
            fs::write(&path, &longer[..length]).unwrap();
            let (mut log, seen) = Log::open(&path, NOW).unwrap();
            assert!(!seen.is_new(message(1), NOW) && seen.is_new(message(2), NOW));
            log.add(message(2)).unwrap();
            let (_, seen) = Log::open(&path, NOW).unwrap();
            assert!(!seen.is_new(message(1), NOW) && !seen.is_new(message(2), NOW));
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        for text in [
            "hello\n",
            "hello",
            "mesh letters 2\n",
            "mesh letters 1\nx 1\n",
            "mesh letters 1\n\n",
        ] {
            fs::write(&path, text).unwrap();
            let error = Log::open(&path, NOW).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_file_larger_than_any_of_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        let (mut log, _) = Log::open(&path, NOW).unwrap();
        let line = format!("{}\n", line(&Note::Taken(message(1))));
        let lines = (MAX_FILE - log.length) as usize / line.len();
        fs::write(&path, format!("{HEADER}\n{}", line.repeat(lines))).unwrap();
        (log, _) = Log::open(&path, NOW).unwrap();
        assert_eq!(log.notes, 1, "it was as large as one may be");
        fs::write(&path, format!("{HEADER}\n{}", line.repeat(lines + 1))).unwrap();
        let error = Log::open(&path, NOW).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn the_file_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        let (mut log, mut seen) = Log::open(&path, NOW).unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        for number in 0..3 * MAX_REMEMBERED as u64 {
            seen.take(message(number), NOW);
            text.push_str(&format!("{}\n", line(&Note::Taken(message(number)))));
        }
        log.notes = 3 * MAX_REMEMBERED;
        assert!(!log.is_long());
        log.add(message(1 << 30)).unwrap();
        assert!(log.is_long());
        log.shorten(&seen).unwrap();
        assert!(!log.is_long());
        let short = fs::metadata(&path).unwrap().len();
        log.add(message(1 << 31)).unwrap();
        // Nor does the next program keep what it does not need.
        fs::write(&path, text).unwrap();
        let (_, again) = Log::open(&path, NOW).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), short);
        for number in [0, 2 * MAX_REMEMBERED as u64, 3 * MAX_REMEMBERED as u64] {
            let message = message(number);
            assert_eq!(seen.is_new(message, NOW), again.is_new(message, NOW));
        }
    }
}
