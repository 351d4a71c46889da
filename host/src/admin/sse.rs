//! Server-sent events as they are read (HTML Living Standard, "Server-sent
//! events"): names and data. Ids and times to wait are not used.

/// Bytes of one event. A notice has a few hundred; the most is the status, with
/// some for each source.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its name; `message` where it has none.
    pub name: String,
    /// Its data, line by line.
    pub data: String,
}

/// An event is larger than any that is sent.
#[derive(Debug, thiserror::Error)]
#[error("an event of over {EVENT_BYTES_MAX} bytes")]
pub struct TooLarge;

/// Takes bytes as they come, and gives events as they end.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// The last line ended by a carriage return: a line feed that follows belongs
    /// to it.
    returned: bool,
}

impl Parser {
    /// The events that end in these bytes.
    ///
    /// # Errors
    /// [`TooLarge`]; nothing can be read after it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, TooLarge> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.returned, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                byte => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > EVENT_BYTES_MAX {
                return Err(TooLarge);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<ServerEvent> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = std::mem::take(&mut self.data);
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return std::mem::take(&mut self.has_data).then_some(ServerEvent { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line.as_ref(), ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // A comment, by which a connection is kept, or what is not used.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    const TEXT: &str = ": kept\n\nevent: tick\ndata: {\"a\":1}\n\ndata:x\r\ndata: y\r\n\r\nid: 7\n\nevent\ndata: z\r\rdata: cut";

    fn expected() -> Vec<ServerEvent> {
        [("tick", "{\"a\":1}"), ("message", "x\ny"), ("message", "z")]
            .map(|(name, data)| ServerEvent { name: name.to_owned(), data: data.to_owned() })
            .to_vec()
    }

    #[test]
    fn events_are_the_same_however_their_bytes_come() {
        for size in 1..TEXT.len() {
            let mut parser = Parser::default();
            let chunks = TEXT.as_bytes().chunks(size);
            let events: Vec<_> =
                chunks.flat_map(|chunk| parser.push(chunk).expect("small")).collect();
            assert_eq!(events, expected(), "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_read_for_ever() {
        let mut parser = Parser::default();
        let chunk = [b'a'; 64 * 1024];
        let refused = (0..100).find(|_| parser.push(&chunk).is_err());
        assert_eq!(refused, Some(EVENT_BYTES_MAX / chunk.len()));
    }
}
