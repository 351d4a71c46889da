//! What the system says of this process (proc(5)).

use std::fs;

use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};

/// Zero where the system does not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Process {
    /// Bytes of memory.
    pub(super) resident_bytes: u64,
    /// Processor time of all its threads.
    pub(super) cpu_s: f64,
    /// Open files, connections among them.
    pub(super) open_fds: u64,
}

impl Process {
    pub(super) fn read() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.flatten().count());
        Self {
            resident_bytes: resident_bytes(),
            cpu_s: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            // One of them is the folder that is read.
            open_fds: open.saturating_sub(1) as u64,
        }
    }
}

/// Bytes of memory that this process has.
pub(super) fn resident_bytes() -> u64 {
    fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| resident_pages(&text))
        .unwrap_or(0)
        .saturating_mul(page_size() as u64)
}

/// The second of the numbers in `/proc/self/statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_time_and_files() {
        let process = Process::read();
        assert!(process.resident_bytes > 100 * 1024, "{process:?}");
        assert!(process.cpu_s > 0.0, "{process:?}");
        assert!(process.open_fds >= 3, "{process:?}");
    }

    #[test]
    fn a_text_of_another_form_is_no_number() {
        assert_eq!(resident_pages("100 42 7 1 0 9 0\n"), Some(42));
        assert_eq!(resident_pages("100"), None);
        assert_eq!(resident_pages("100 x"), None);
    }
}
