use super::{Pass, Plan, PlanError};

#[test]
fn a_plan_is_read_entry_by_entry() {
    let plan = "crash=accept.committed:3, crash=x:1,mode=power,disk,synchronous=off,control=/a/b=c";
    let pass = |point: &str, number| Pass { point: point.to_owned(), number };
    assert_eq!(
        plan.parse(),
        Ok(Plan {
            crashes: vec![pass("accept.committed", 3), pass("x", 1)],
            power: true,
            disk: true,
            synchronous_off: true,
            control: Some("/a/b=c".into()),
        })
    );
    assert_eq!("".parse(), Ok(Plan::default()));
}

#[test]
fn a_plan_that_would_do_nothing_is_refused() {
    for entry in ["crsh=a:1", "disk=no", "mode=soft", "synchronous=full", "control="] {
        assert_eq!(entry.parse::<Plan>(), Err(PlanError::Unknown(entry.to_owned())));
    }
    for pass in ["a", "a:", "a:0", ":1", "a:-1", "a:1:"] {
        let entry = format!("crash={pass}");
        assert_eq!(entry.parse::<Plan>(), Err(PlanError::Crash(pass.to_owned())));
    }
    assert_eq!("crash=a:1,mode=power".parse::<Plan>(), Err(PlanError::PowerWithoutDisk));
}
