//! Puts values in the place of a template's actions. Pure.

use std::fmt::Write as _;

use super::parse::{Choice, Expression, Function, Node};
use super::refusal::Refusal;
use crate::model::shown;

/// What stands at the top of a template.
pub trait Fields {
    /// The value of a field.
    ///
    /// # Errors
    ///
    /// Why it has none; the text says no value.
    fn field(&self, name: &str) -> Result<Value<'_>, String>;
}

/// A value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// Yes or no.
    Flag(bool),
    /// Texts by name, in the order of the names.
    Map(&'a [(String, String)]),
    /// What a map does not have.
    Missing,
    /// All fields together.
    Top,
}

/// The result of a whole template.
pub fn evaluate(nodes: &[Node], fields: &dyn Fields, limit: usize) -> Result<String, Refusal> {
    let mut result = Output { text: String::new(), limit };
    let scope = Scope { fields, dot: Value::Top };
    result.nodes(nodes, scope)?;
    Ok(result.text)
}

struct Output {
    text: String,
    limit: usize,
}

impl Output {
    fn push(&mut self, line: usize, text: &str) -> Result<(), Refusal> {
        self.text += text;
        if self.text.len() > self.limit {
            return Err(Refusal { line, why: format!("the result has more than {} bytes", self.limit) });
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], scope: Scope) -> Result<(), Refusal> {
        for node in nodes {
            match node {
                Node::Text(text) => self.push(1, text)?,
                Node::Print(line, expression) => {
                    let value = scope.at(*line, |scope| scope.value(expression))?;
                    let text = scope.at(*line, |_| printed(value))?;
                    self.push(*line, &text)?;
                }
                Node::Choice(choice) => self.choice(choice, scope)?,
            }
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Choice, scope: Scope) -> Result<(), Refusal> {
        for (line, condition, nodes) in &choice.arms {
            let value = scope.at(*line, |scope| scope.value(condition))?;
            if holds(value) {
                let dot = if choice.is_with { value } else { scope.dot };
                return self.nodes(nodes, Scope { dot, ..scope });
            }
        }
        self.nodes(&choice.otherwise, scope)
    }
}

/// What names mean at a place.
#[derive(Clone, Copy)]
struct Scope<'a> {
    fields: &'a dyn Fields,
    dot: Value<'a>,
}

impl<'a> Scope<'a> {
    fn at<T>(self, line: usize, act: impl FnOnce(Self) -> Result<T, String>) -> Result<T, Refusal> {
        act(self).map_err(|why| Refusal { line, why })
    }

    fn value(self, expression: &'a Expression) -> Result<Value<'a>, String> {
        match expression {
            Expression::Text(text) => Ok(Value::Text(text)),
            Expression::Flag(flag) => Ok(Value::Flag(*flag)),
            Expression::Path { from_top, names } => {
                let start = if *from_top { Value::Top } else { self.dot };
                names.iter().try_fold(start, |value, name| self.member(value, name))
            }
            Expression::Call(function, given) => self.call(*function, given),
        }
    }

    fn member(self, value: Value<'a>, name: &str) -> Result<Value<'a>, String> {
        match value {
            Value::Top => self.fields.field(name),
            Value::Map(map) => Ok(entry(map, name).map_or(Value::Missing, Value::Text)),
            Value::Text(_) | Value::Flag(_) | Value::Missing => Err(format!("a text has no field {}", shown(name))),
        }
    }

    fn call(self, function: Function, given: &'a [Expression]) -> Result<Value<'a>, String> {
        // The last value if none before decides.
        let first = |decides: bool| {
            let mut last = Value::Missing;
            for expression in given {
                last = self.value(expression)?;
                if holds(last) == decides {
                    break;
                }
            }
            Ok(last)
        };
        match function {
            Function::And => return first(false),
            Function::Or => return first(true),
            _ => {}
        }
        let values = given.iter().map(|expression| self.value(expression)).collect::<Result<Vec<_>, _>>()?;
        match (function, values.as_slice()) {
            (Function::Not, [value]) => Ok(Value::Flag(!holds(*value))),
            (Function::Eq, [first, others @ ..]) => {
                let mut found = false;
                for other in others {
                    found |= are_equal(*first, *other)?;
                }
                Ok(Value::Flag(found))
            }
            (Function::Ne, [one, other]) => Ok(Value::Flag(!are_equal(*one, *other)?)),
            (Function::Index, [Value::Map(map), Value::Text(name)]) => Ok(Value::Text(entry(map, name).unwrap_or(""))),
            (Function::Index, _) => {
                Err("`index` is for `.ExtraContext` and a text: `index .ExtraContext \"KEY\"`".into())
            }
            _ => Err("a function is given values that it does not take".into()),
        }
    }
}

fn entry<'a>(map: &'a [(String, String)], name: &str) -> Option<&'a str> {
    map.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn holds(value: Value) -> bool {
    match value {
        Value::Text(text) => !text.is_empty(),
        Value::Flag(flag) => flag,
        Value::Map(map) => !map.is_empty(),
        Value::Missing => false,
        Value::Top => true,
    }
}

fn are_equal(one: Value, other: Value) -> Result<bool, String> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => Ok(one == other),
        (Value::Flag(one), Value::Flag(other)) => Ok(one == other),
        (Value::Missing, Value::Missing) => Ok(true),
        (Value::Missing, Value::Text(_) | Value::Flag(_)) | (Value::Text(_) | Value::Flag(_), Value::Missing) => {
            Ok(false)
        }
        _ => Err("values of two kinds are compared: `eq` and `ne` are for two texts, or for two of `true` and `false`"
            .into()),
    }
}

fn printed(value: Value) -> Result<String, String> {
    Ok(match value {
        Value::Text(text) => text.into(),
        Value::Flag(flag) => flag.to_string(),
        Value::Missing => "<no value>".into(),
        Value::Map(map) => {
            let mut text = String::from("map[");
            for (place, (name, value)) in map.iter().enumerate() {
                // Writing to a string cannot fail.
                _ = write!(text, "{}{name}:{value}", if place == 0 { "" } else { " " });
            }
            text + "]"
        }
        Value::Top => return Err("`{{ . }}` would print all values with their secrets: name one of them".into()),
    })
}
