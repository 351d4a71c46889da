//! A trap in words: its cause, and the plugin's own functions that led to it,
//! with the lines of its source where the component says them (DWARF).

use wasmtime::WasmBacktrace;

/// Frames of a trap's backtrace that are shown.
const FRAMES_MAX: usize = 8;

/// Characters of a place in the source that are shown.
const PLACE_CHARS_MAX: usize = 120;

/// The trap, and the names of the plugin's own functions that led to it,
/// innermost first.
pub(super) fn trap_text(error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    let text = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default();
    let frames = frames(&text);
    let own: Vec<&Frame> = frames.iter().filter(|frame| frame.is_own()).collect();
    let shown: Vec<String> = match own.as_slice() {
        [] => frames.iter().take(FRAMES_MAX).map(Frame::text).collect(),
        own => own.iter().take(FRAMES_MAX).map(|frame| frame.text()).collect(),
    };
    if shown.is_empty() { cause } else { format!("{cause}, in {}", shown.join(" < ")) }
}

/// A function on the way to a trap.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    name: String,
    /// File and line, as the compiler wrote them.
    place: Option<String>,
}

impl Frame {
    fn text(&self) -> String {
        match self.place.as_deref().and_then(short_place) {
            Some(place) => format!("{} ({place})", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether it is of those who wrote the plugin, or of a library of theirs.
    fn is_own(&self) -> bool {
        !self.is_runtime() && !self.is_glue()
    }

    /// Whether it only stands between the host and the plugin's handler.
    fn is_glue(&self) -> bool {
        let of_sdk = |place: &String| {
            let place = place.replace('\\', "/");
            ["/plugin-sdk/src/export.rs", "/hookbox-sdk/src/export.rs"]
                .iter()
                .any(|file| place.contains(file))
        };
        // As wit-bindgen names what it makes, and as the export itself is called.
        self.name.starts_with("_export_")
            || self.name.starts_with("hookbox_sdk::bindings::exports::")
            || self.name.starts_with("hookbox:")
            || self.place.as_ref().is_some_and(of_sdk)
    }

    /// Whether it belongs to Rust's own libraries, where each panic ends.
    fn is_runtime(&self) -> bool {
        let of_library = |place: &String| {
            // As in rustc's distribution, and where the library was built here.
            place.starts_with("/rustc/")
                || ["std", "core", "alloc", "panic_abort", "compiler-builtins/compiler-builtins"]
                    .iter()
                    .any(|part| place.contains(&format!("/library/{part}/src/")))
        };
        is_runtime(&self.name) || self.place.as_ref().is_some_and(of_library)
    }
}

/// The functions in a backtrace's text. wasmtime gives them one by one too, but
/// not with their names made plain.
fn frames(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    // Glue between components has no names, and no places either.
    let mut named = false;
    for line in text.lines() {
        if let Some(place) = line.trim_start().strip_prefix("at ") {
            if let Some(frame) = frames.last_mut().filter(|_| named) {
                frame.place = Some(place.to_owned());
            }
        } else {
            let name = frame_name(line);
            named = name.is_some();
            frames.extend(name.map(|name| Frame { name, place: None }));
        }
    }
    frames
}

/// The function of a backtrace's line: `0: 0x1f - module!function`, and for what
/// was inlined into it `- function`. With lines of the source the module is left
/// out. Other lines are none.
fn frame_name(line: &str) -> Option<String> {
    let (before, function) = line.split_once("- ").or_else(|| line.split_once(": "))?;
    if !before.trim_start().starts_with(|c: char| c.is_ascii_digit()) && !before.trim().is_empty() {
        return None;
    }
    let is_module = |name: &str| name == "<unknown>" || !name.contains([' ', '<', ':']);
    let function = match function.split_once('!') {
        Some((module, function)) if is_module(module) => function,
        _ => function,
    };
    let function = function.trim();
    (!function.starts_with("<wasm function")).then(|| plain_name(function))
}

/// A place in the source as whoever wrote it knows it: `src/lib.rs:12` for a
/// file of a crate, `serde_json-1.0.1/src/de.rs:7` for one of a registry's,
/// `plugin.c:12` for others. Where on which machine it was compiled is nobody's
/// business.
fn short_place(place: &str) -> Option<String> {
    // With or without a column, which says little.
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (before, last) = place.rsplit_once(':').filter(|(_, last)| is_number(last))?;
    let (file, line) = match before.rsplit_once(':') {
        Some((file, line)) if is_number(line) => (file, line),
        _ => (before, last),
    };
    // As tools on Windows write it.
    let file = file.replace('\\', "/");
    let names: Vec<&str> = file.split('/').filter(|name| !name.is_empty()).collect();
    let of_registry = names.windows(2).position(|pair| matches!(pair, ["registry", "src"]));
    let begin = match (of_registry, names.iter().rposition(|name| *name == "src")) {
        // `registry/src/<registry>/<crate>-<version>/src/…`
        (Some(registry), _) if names.len() > registry + 3 => registry + 3,
        (_, Some(source)) => source,
        _ => names.len().saturating_sub(1),
    };
    let short = names.get(begin..)?.join("/");
    let shown: String = short.chars().take(PLACE_CHARS_MAX).filter(|c| !c.is_control()).collect();
    (!shown.is_empty()).then(|| format!("{shown}:{line}"))
}

/// A function's name without the hashes that Rust adds, in the new form
/// `probe[1f…]::handle` and the old one `probe::handle::h1f…`.
fn plain_name(name: &str) -> String {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if is_hash(hash) => name,
        _ => name,
    };
    let mut plain = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once(']') {
            Some((hash, after)) if hash.bytes().all(|b| b.is_ascii_hexdigit()) => rest = after,
            _ => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// Whether a function belongs to Rust's own libraries, by its name.
fn is_runtime(name: &str) -> bool {
    let name = name.trim_start_matches('<');
    [
        "std::",
        "panicking::",
        "core::",
        "alloc::",
        "__rustc::",
        "panic_abort::",
        "rust_panic",
        "abort",
        "__rust",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As wasmtime 48 writes it.
    const TRACE: &str = "\
error while executing at wasm backtrace:
    0:   0x3f1a - std::process::abort::h0123456789abcdef
                    at /rustc/0123/library/std/src/process.rs:2:5
    1:   0x1f00 - core::option::unwrap_failed
                    at /build/library/core/src/option.rs:1:1
                - counter::count::h0123456789abcdef
                    at /home/somebody/counter/src/lib.rs:12:34
    2:   0x2000 - <counter[1f]::Counter as hookbox_sdk[2a]::Plugin>::handle
                    at C:\\work\\counter\\src\\deep\\mod.rs:7
    3:   0x2100 - serde_json::de::from_str
                    at /home/somebody/.cargo/registry/src/index.example-1f/serde_json-1.0.1/src/de.rs:9:1
    4:   0x2200 - handle
                    at /home/somebody/plugin.c:40:1
    5:   0x2300 - glue!<wasm function 7>
    6:   0x2310 - handle
                    at /home/somebody/counter/vendor/hookbox-sdk/src/export.rs:29:9
                - _export_handle_cabi<counter::_::Exported>
                    at /home/somebody/counter/src/lib.rs:45:1
    7:   0x2380 - hookbox:targetvideo/handler@0.1.0#handle
    8:   0x2400 - counter.wasm!cabi_handle";

    #[test]
    fn the_plugins_own_functions_are_shown_with_their_lines_and_no_machines_paths() {
        let frames = frames(TRACE);
        let own: Vec<String> =
            frames.iter().filter(|frame| frame.is_own()).map(Frame::text).collect();
        assert_eq!(
            own,
            [
                "counter::count (src/lib.rs:12)",
                "<counter::Counter as hookbox_sdk::Plugin>::handle (src/deep/mod.rs:7)",
                "serde_json::de::from_str (serde_json-1.0.1/src/de.rs:9)",
                "handle (plugin.c:40)",
                "cabi_handle",
            ]
        );
        assert_eq!(frames.len(), 10, "{frames:?}");
    }

    #[test]
    fn what_is_no_place_is_not_shown_as_one() {
        for text in ["", "lib.rs", "lib.rs:x", ":1", "/:3"] {
            assert_eq!(short_place(text), None, "{text:?}");
        }
    }
}
