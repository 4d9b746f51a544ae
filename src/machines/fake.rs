//! Machines that exist in memory only, and the claims that every kind has to keep.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Fault, Instance, Machines, Specification, State, Token};

/// At most this many machines at a time.
const ROOM: usize = 2;

#[derive(Default)]
struct Fake {
    machines: RefCell<BTreeMap<Token, Instance>>,
}

impl Fake {
    fn change(&self, token: Token, state: State) -> Result<(), Fault> {
        let mut machines = self.machines.borrow_mut();
        let machine = machines.get_mut(&token).ok_or_else(|| missing(token))?;
        machine.state = state;
        Ok(())
    }
}

fn missing(token: Token) -> Fault {
    Fault::NotFound(format!("There is no machine {token}"))
}

impl Machines for Fake {
    type Id<'a> = Token;
    type Specification = Specification;
    type Instance = Instance;

    fn create(&self, specification: &Specification) -> Result<Instance, Fault> {
        let token = specification.token;
        if specification.image != "debian" {
            return Err(Fault::NotFound(format!("There is no image {}; there is: debian", specification.image)));
        }
        let mut machines = self.machines.borrow_mut();
        if machines.contains_key(&token) {
            return Err(Fault::Duplicate(format!("Machine {token} exists")));
        }
        if machines.len() == ROOM {
            return Err(Fault::NoCapacity(format!("There are {ROOM} machines already")));
        }
        let instance = Instance { token, image: specification.image.clone(), state: State::Running, age: 0 };
        machines.insert(token, instance.clone());
        Ok(instance)
    }

    fn delete(&self, token: Token) -> Result<(), Fault> {
        self.machines.borrow_mut().remove(&token);
        Ok(())
    }

    fn get(&self, token: Token) -> Result<Instance, Fault> {
        self.machines.borrow().get(&token).cloned().ok_or_else(|| missing(token))
    }

    fn list(&self) -> Result<Vec<Instance>, Fault> {
        Ok(self.machines.borrow().values().cloned().collect())
    }

    fn start(&self, token: Token) -> Result<(), Fault> {
        self.change(token, State::Running)
    }

    fn stop(&self, token: Token) -> Result<(), Fault> {
        self.change(token, State::Stopped)
    }

    fn console(&self, token: Token) -> Result<String, Fault> {
        self.get(token).map(|_| String::new())
    }
}

fn specification(token: u64) -> Specification {
    Specification {
        token: Token(token),
        image: "debian".into(),
        lifetime: std::time::Duration::from_secs(60),
        cache: None,
        user_data: None,
    }
}

#[test]
fn the_same_token_makes_one_machine_and_deleting_twice_is_fine() {
    let machines = Fake::default();
    let made = machines.create(&specification(7)).unwrap();
    assert_eq!(machines.get(Token(7)), Ok(made.clone()));
    assert!(matches!(machines.create(&specification(7)), Err(Fault::Duplicate(_))));
    assert_eq!(machines.list(), Ok(vec![made]));
    machines.stop(Token(7)).unwrap();
    assert_eq!(machines.get(Token(7)).unwrap().state, State::Stopped);
    machines.start(Token(7)).unwrap();
    assert_eq!(machines.console(Token(7)), Ok(String::new()));
    machines.delete(Token(7)).unwrap();
    machines.delete(Token(7)).unwrap();
    assert!(matches!(machines.get(Token(7)), Err(Fault::NotFound(_))));
    assert!(matches!(machines.start(Token(7)), Err(Fault::NotFound(_))));
}

#[test]
fn a_refusal_says_whether_trying_again_can_help() {
    let machines = Fake::default();
    let unknown = Specification { image: "../../etc".into(), ..specification(1) };
    assert!(!machines.create(&unknown).unwrap_err().is_passing());
    machines.create(&specification(1)).unwrap();
    machines.create(&specification(2)).unwrap();
    let full = machines.create(&specification(3)).unwrap_err();
    assert_eq!(full, Fault::NoCapacity("There are 2 machines already".into()));
    assert!(full.is_passing());
}
