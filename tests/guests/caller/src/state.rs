//! Operations on key-value state, as the event asks for them.

use serde::Deserialize;

use crate::bindings::wasi::keyvalue::store::{Bucket, Error};
use crate::bindings::wasi::keyvalue::{atomics, batch, store};

/// Longest list of keys that is printed: a line of the log has its limit.
const KEYS_PRINTED_MAX: usize = 100;

/// One operation. `value_bytes` makes a value, `key_bytes` a key of that many
/// letters.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Op {
    /// `open`, `get`, `set`, `delete`, `exists`, `increment`, `keys`,
    /// `get_many`, `set_many` or `delete_many`.
    op: String,
    /// Of `open`: the bucket's name.
    name: String,
    key: String,
    key_bytes: Option<usize>,
    value: String,
    value_bytes: Option<usize>,
    /// Of `increment`: 1 where it is not given.
    delta: Option<u64>,
    /// Of `get_many` and `delete_many`.
    keys: Vec<String>,
    /// Of `set_many`: pairs of key and value.
    pairs: Vec<(String, String)>,
}

/// Keys `<prefix>0`, `<prefix>1`, … until one is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fill {
    keys: u64,
    value_bytes: usize,
    #[serde(default)]
    prefix: String,
}

/// The bucket in use: that of the last `open`, else that of the name "".
#[derive(Default)]
pub(crate) struct State {
    bucket: Option<Bucket>,
}

impl State {
    pub(crate) fn run(&mut self, op: &Op) {
        match self.result(op) {
            Ok(result) => println!("kv {} {result}", op.op),
            Err(e) => println!("kv {} error={e:?}", op.op),
        }
    }

    pub(crate) fn fill(&mut self, fill: &Fill) {
        let value = vec![b'x'; fill.value_bytes];
        let set = |bucket: &Bucket, n: u64| bucket.set(&format!("{}{n}", fill.prefix), &value);
        for n in 0..fill.keys {
            if let Err(e) = self.bucket().and_then(|bucket| set(bucket, n)) {
                println!("fill stopped keys={n} error={e:?}");
                return;
            }
        }
        println!("fill done keys={}", fill.keys);
    }

    fn bucket(&mut self) -> Result<&Bucket, Error> {
        match &mut self.bucket {
            Some(bucket) => Ok(bucket),
            none => Ok(none.insert(store::open("")?)),
        }
    }

    fn result(&mut self, op: &Op) -> Result<String, Error> {
        if op.op == "open" {
            self.bucket = Some(store::open(&op.name)?);
            return Ok("ok".to_owned());
        }
        let bucket = self.bucket()?;
        let letters = |count: usize| "x".repeat(count);
        let key = &op.key_bytes.map_or_else(|| op.key.clone(), letters);
        let done = |()| "ok".to_owned();
        Ok(match op.op.as_str() {
            "get" => match bucket.get(key)? {
                Some(value) => format!("value={}", shown(&value)),
                None => "none".to_owned(),
            },
            "set" => {
                let value = op.value_bytes.map_or_else(|| op.value.clone(), letters);
                bucket.set(key, value.as_bytes()).map(done)?
            }
            "delete" => bucket.delete(key).map(done)?,
            "exists" => bucket.exists(key)?.to_string(),
            "increment" => atomics::increment(bucket, key, op.delta.unwrap_or(1))?.to_string(),
            "keys" => keys(bucket)?,
            "get_many" => {
                let pairs = batch::get_many(bucket, &op.keys)?.into_iter();
                let pair = |pair: Option<(String, Vec<u8>)>| match pair {
                    Some((key, value)) => format!("{key}={}", shown(&value)),
                    None => "none".to_owned(),
                };
                pairs.map(pair).collect::<Vec<_>>().join(",")
            }
            "set_many" => {
                let pair = |(key, value): &(String, String)| (key.clone(), value.clone().into());
                let pairs: Vec<(String, Vec<u8>)> = op.pairs.iter().map(pair).collect();
                batch::set_many(bucket, &pairs).map(done)?
            }
            "delete_many" => batch::delete_many(bucket, &op.keys).map(done)?,
            _ => "no such operation".to_owned(),
        })
    }
}

/// All keys, sorted.
fn keys(bucket: &Bucket) -> Result<String, Error> {
    let mut keys = Vec::new();
    let mut pages = 0;
    let mut cursor = None;
    loop {
        let page = bucket.list_keys(cursor)?;
        pages += 1;
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.truncate(KEYS_PRINTED_MAX);
    Ok(format!("pages={pages} count={count} {}", keys.join(",")))
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value).escape_debug().to_string()
}
