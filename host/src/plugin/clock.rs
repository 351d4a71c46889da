//! Processor time of a call: that of the thread which runs it, while it does.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Does the work, and adds the processor time that threads spend on it. Where
/// nobody asks for that, nothing is measured.
pub(super) async fn clocked<T>(work: impl Future<Output = T>, mut cpu: Option<&mut Duration>) -> T {
    let mut work = pin!(work);
    poll_fn(move |context| {
        let Some(cpu) = cpu.as_deref_mut() else { return work.as_mut().poll(context) };
        let begun = thread_cpu();
        let polled = work.as_mut().poll(context);
        *cpu += thread_cpu().saturating_sub(begun);
        polled
    })
    .await
}

/// Processor time of this thread so far.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // It counts from 0 on.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_part_of_the_work_is_counted() {
        let (mut cpu, part) = (Duration::ZERO, Duration::from_millis(10));
        let work = async {
            for _ in 0..2 {
                let begun = thread_cpu();
                while thread_cpu() - begun < part {
                    std::hint::spin_loop();
                }
                tokio::task::yield_now().await;
            }
        };
        clocked(work, Some(&mut cpu)).await;
        assert!(cpu >= 2 * part && cpu < Duration::from_secs(60), "{cpu:?}");
    }
}
