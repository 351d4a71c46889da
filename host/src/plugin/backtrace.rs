//! A trap in words: its cause, and the plugin's own functions that led to it,
//! with the lines of its source where the component says them (DWARF).

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use wasmtime::WasmBacktrace;

use super::symbols::Point;

/// Frames of a trap's backtrace that are shown.
const FRAMES_MAX: usize = 8;

/// Bytes of a function's name that are shown.
const NAME_BYTES_MAX: usize = 512;

/// Characters of a place in the source that are shown.
const PLACE_CHARS_MAX: usize = 120;

/// How the functions between the host and a plugin's handler begin: those that
/// wit-bindgen makes, those of the layers for C and Go, and the export itself.
const GLUE: [&str; 11] = [
    "_export_",
    "hookbox_sdk::bindings::exports::",
    "hookbox:",
    // C
    "exports_hookbox_",
    "__wasm_export_",
    // Go
    "hookbox.Register.func",
    "hookbox/wit/export_hookbox_",
    "hookbox_wit_export_",
    "main.wasm_export_",
    "wasm_pc_f_loop",
    "_rt0_",
];

/// The places in the plugin's code where a call trapped, innermost first.
pub(super) fn points(error: &wasmtime::Error) -> Vec<Point> {
    let trace = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames);
    let frames = trace.into_iter().flatten();
    frames.map(|frame| Point { offset: frame.module_offset().unwrap_or_default() as u64 }).collect()
}

/// The trap, and the names of the plugin's own functions that led to it,
/// innermost first. `resolved`: for each of [`points`] what its debug information
/// says; else the functions' names are those of the component.
pub(super) fn trap_text(error: &wasmtime::Error, resolved: Option<Vec<Vec<Frame>>>) -> String {
    let cause = error.root_cause().to_string();
    let trace = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames);
    let mut resolved = resolved.unwrap_or_default().into_iter();
    let frames: Vec<Frame> = trace
        .into_iter()
        .flatten()
        .flat_map(|frame| {
            let own_name = || frame.func_name().map(named);
            let mut known = resolved.next().unwrap_or_default();
            if known.is_empty() {
                known.extend(own_name());
            }
            for inlined in known.iter_mut().filter(|inlined| inlined.name.is_empty()) {
                inlined.name = own_name().map(|frame| frame.name).unwrap_or_default();
            }
            known.retain(|frame| !frame.name.is_empty());
            known
        })
        .collect();
    text(&cause, &frames)
}

/// A function that is known by its name alone.
fn named(name: &str) -> Frame {
    let end = name.floor_char_boundary(NAME_BYTES_MAX);
    Frame { name: demangled(name.get(..end).unwrap_or_default()), place: None }
}

fn text(cause: &str, frames: &[Frame]) -> String {
    let own: Vec<&Frame> = frames.iter().filter(|frame| frame.is_own()).collect();
    let shown: Vec<String> = match own.as_slice() {
        [] => frames.iter().take(FRAMES_MAX).map(Frame::text).collect(),
        own => own.iter().take(FRAMES_MAX).map(|frame| frame.text()).collect(),
    };
    if shown.is_empty() { cause.to_owned() } else { format!("{cause}, in {}", shown.join(" < ")) }
}

/// A function's name as it was written, where Rust changed it for the linker;
/// other names stay as they are. A mangled name can stand for an exponentially
/// longer one, so what is written is bounded.
pub(super) fn demangled(name: &str) -> String {
    let Ok(demangled) = rustc_demangle::try_demangle(name) else {
        return name.to_owned();
    };
    let mut bounded = Bounded(String::new());
    // Without the hashes.
    let _cut = write!(bounded, "{demangled:#}");
    bounded.0
}

/// Text of at most [`NAME_BYTES_MAX`] bytes; whoever writes more is stopped.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = NAME_BYTES_MAX - self.0.len();
        self.0.push_str(more.get(..more.floor_char_boundary(room)).unwrap_or_default());
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

/// A function on the way to a trap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frame {
    pub(super) name: String,
    /// File and line, as the compiler wrote them.
    pub(super) place: Option<String>,
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
        GLUE.iter().any(|prefix| self.name.starts_with(prefix))
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

/// Whether a function belongs to Rust's own libraries or to Go's runtime, by its
/// name.
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
        "runtime.",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, place: Option<&str>) -> Frame {
        Frame { name: demangled(name), place: place.map(str::to_owned) }
    }

    #[test]
    fn the_plugins_own_functions_are_shown_with_their_lines_and_no_machines_paths() {
        let frames = [
            frame(
                "_ZN3std7process5abort17h0123456789abcdefE",
                Some("/rustc/01/library/std/src/process.rs:2"),
            ),
            frame("core::option::unwrap_failed", Some("/build/library/core/src/option.rs:1")),
            frame(
                "_ZN7counter5count17h0123456789abcdefE",
                Some("/home/somebody/counter/src/lib.rs:12"),
            ),
            frame(
                "<counter::Counter as hookbox_sdk::Plugin>::handle",
                Some("C:\\work\\counter\\src\\deep\\mod.rs:7"),
            ),
            frame(
                "serde_json::de::from_str",
                Some(
                    "/home/somebody/.cargo/registry/src/index.example-1f/serde_json-1.0.1/src/de.rs:9",
                ),
            ),
            frame("handle", Some("/home/somebody/plugin.c:40")),
            frame("runtime.gopanic", None),
            frame("handle", Some("/home/somebody/counter/vendor/hookbox-sdk/src/export.rs:29")),
            frame(
                "_export_handle_cabi<counter::_::Exported>",
                Some("/home/somebody/counter/src/lib.rs:45"),
            ),
            frame("hookbox:targetvideo/handler@0.1.0#handle", None),
            frame("cabi_handle", None),
        ];
        assert_eq!(
            text("trap", &frames),
            "trap, in counter::count (src/lib.rs:12) \
             < <counter::Counter as hookbox_sdk::Plugin>::handle (src/deep/mod.rs:7) \
             < serde_json::de::from_str (serde_json-1.0.1/src/de.rs:9) \
             < handle (plugin.c:40) < cabi_handle"
        );
    }

    #[test]
    fn what_stands_between_the_host_and_a_handler_in_c_or_go_is_not_shown() {
        let glue = [
            "exports_hookbox_targetvideo_handler_handle",
            "__wasm_export_exports_hookbox_targetvideo_handler_handle",
            "hookbox.Register.func2",
            "hookbox_wit_export_hookbox_targetvideo_handler.Handle",
            "wasm_pc_f_loop",
            "_rt0_wasm_wasip1_lib",
        ];
        for name in glue {
            let frames = [frame("main.handle", None), frame(name, Some("/home/somebody/a.c:1"))];
            assert_eq!(text("trap", &frames), "trap, in main.handle");
        }
    }

    #[test]
    fn names_that_stand_for_endless_ones_are_cut() {
        // Each part names the one before it twice.
        let mut name = "_RINvC1a1b".to_owned();
        name.push_str(&"TB9_B9_E".repeat(40));
        name.push('E');
        assert!(demangled(&name).len() <= NAME_BYTES_MAX.max(name.len()));
        let cpp = format!("_Z1b{}", "I1aS_E".repeat(100));
        assert_eq!(demangled(&cpp), cpp);
    }

    #[test]
    fn what_is_no_place_is_not_shown_as_one() {
        for text in ["", "lib.rs", "lib.rs:x", ":1", "/:3"] {
            assert_eq!(short_place(text), None, "{text:?}");
        }
    }
}
