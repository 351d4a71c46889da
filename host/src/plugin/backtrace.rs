//! A trap in words: its cause, and the plugin's own functions that led to it.

use wasmtime::WasmBacktrace;

/// Frames of a trap's backtrace that are shown.
const FRAMES_MAX: usize = 8;

/// The trap, and the names of the plugin's own functions that led to it,
/// innermost first.
pub(super) fn trap_text(error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    let frames = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default();
    let names: Vec<String> = frames.lines().filter_map(frame_name).collect();
    let own: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !is_runtime(name)).collect();
    let shown: Vec<&str> = match own.as_slice() {
        [] => names.iter().map(String::as_str).take(FRAMES_MAX).collect(),
        own => own.iter().copied().take(FRAMES_MAX).collect(),
    };
    if shown.is_empty() { cause } else { format!("{cause}, in {}", shown.join(" < ")) }
}

/// The function of a backtrace's line: `0: 0x1f - module!function`, and for what
/// was inlined into it `- function`. Other lines say where in the source.
fn frame_name(line: &str) -> Option<String> {
    let (before, function) = line.split_once("- ")?;
    if !before.trim_start().starts_with(|c: char| c.is_ascii_digit()) && !before.trim().is_empty() {
        return None;
    }
    let is_module = |name: &str| name == "<unknown>" || !name.contains([' ', '<', ':']);
    let function = match function.split_once('!') {
        Some((module, function)) if is_module(module) => function,
        _ => function,
    };
    // Glue between components has no names.
    let function = function.trim();
    (!function.starts_with("<wasm function")).then(|| plain_name(function))
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

/// Whether a function belongs to Rust's own libraries, where each panic ends.
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
