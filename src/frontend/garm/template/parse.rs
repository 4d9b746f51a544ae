//! Puts the words of a template together: which text depends on which condition. Pure.

use super::lex::{Piece, Word};
use super::refusal::Refusal;
use crate::model::shown;

/// Deeper ones were made to hurt.
const DEEPEST: usize = 64;

/// A part of the result.
#[derive(Debug)]
pub enum Node {
    /// Is copied.
    Text(String),
    /// Its value.
    Print(usize, Expression),
    /// The first part whose condition holds, or the last one.
    Choice(Choice),
}

/// `if` or `with`, up to its `end`.
#[derive(Debug)]
pub struct Choice {
    /// Whether `.` is the value of the condition within its part.
    pub is_with: bool,
    /// Conditions with their lines and parts.
    pub arms: Vec<(usize, Expression, Vec<Node>)>,
    /// What holds otherwise.
    pub otherwise: Vec<Node>,
}

/// Something that has a value.
#[derive(Debug)]
pub enum Expression {
    /// `.A.B`, or `$.A.B` from the very top.
    Path { from_top: bool, names: Vec<String> },
    /// A text in quotes.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A function with what it is given.
    Call(Function, Vec<Expression>),
}

/// What is known of Go's functions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Function {
    And,
    Or,
    Not,
    Eq,
    Ne,
    Index,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "and" => Self::And,
            "or" => Self::Or,
            "not" => Self::Not,
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "index" => Self::Index,
            _ => return None,
        })
    }

    /// Whether it takes this many.
    fn takes(self, count: usize) -> bool {
        match self {
            Self::And | Self::Or => count >= 1,
            Self::Not => count == 1,
            Self::Eq => count >= 2,
            Self::Ne | Self::Index => count == 2,
        }
    }
}

/// Puts a whole template together.
pub fn parse(pieces: Vec<Piece<'_>>) -> Result<Vec<Node>, Refusal> {
    let mut parser = Parser { pieces: pieces.into_iter(), depth: 0 };
    match parser.nodes()? {
        (nodes, None) => Ok(nodes),
        (_, Some((line, closing))) => Err(refusal(line, format!("`{{{{ {} }}}}` closes nothing", closing.name()))),
    }
}

fn refusal(line: usize, why: impl Into<String>) -> Refusal {
    Refusal { line, why: why.into() }
}

/// What ends a part of a choice.
enum Closing {
    End,
    Else,
    /// `else if` or `else with`, and its condition.
    ElseThen(bool, Vec<Word>),
}

impl Closing {
    fn name(&self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Else | Self::ElseThen(..) => "else",
        }
    }
}

/// What closes a part, with its line; nothing at the end of the template.
type Closed = Option<(usize, Closing)>;

struct Parser<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
    depth: usize,
}

impl Parser<'_> {
    /// Parts up to what closes them, or up to the end of the template.
    fn nodes(&mut self) -> Result<(Vec<Node>, Closed), Refusal> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (line, words) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text.into()));
                    continue;
                }
                Piece::Action(line, words) => (line, words),
            };
            let Some(Word::Name(keyword)) = words.first() else {
                nodes.push(Node::Print(line, expression(line, words)?));
                continue;
            };
            match (keyword.as_str(), words.get(1), words.len()) {
                ("if" | "with", ..) => {
                    let is_with = keyword == "with";
                    nodes.push(self.choice(line, is_with, words.into_iter().skip(1).collect())?);
                }
                ("end", None, _) => return Ok((nodes, Some((line, Closing::End)))),
                ("else", None, _) => return Ok((nodes, Some((line, Closing::Else)))),
                ("else", Some(Word::Name(then)), 3..) if then == "if" || then == "with" => {
                    let closing = Closing::ElseThen(then == "with", words[2..].to_vec());
                    return Ok((nodes, Some((line, closing))));
                }
                ("end" | "else", ..) => return Err(refusal(line, format!("`{keyword}` is followed by something"))),
                _ => nodes.push(Node::Print(line, expression(line, words)?)),
            }
        }
        Ok((nodes, None))
    }

    fn choice(&mut self, begin: usize, is_with: bool, condition: Vec<Word>) -> Result<Node, Refusal> {
        let name = if is_with { "with" } else { "if" };
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(refusal(begin, format!("more than {DEEPEST} conditions lie in one another")));
        }
        let mut choice = Choice { is_with, arms: Vec::new(), otherwise: Vec::new() };
        let (mut line, mut condition) = (begin, Some(condition));
        loop {
            let condition_here = condition.take().map(|words| expression(line, words)).transpose()?;
            let (nodes, closing) = self.nodes()?;
            let is_last = condition_here.is_none();
            match condition_here {
                Some(expression) => choice.arms.push((line, expression, nodes)),
                None => choice.otherwise = nodes,
            }
            match closing {
                None => return Err(refusal(begin, format!("`{{{{ {name} }}}}` has no `{{{{ end }}}}`"))),
                Some((_, Closing::End)) => break,
                Some((place, _)) if is_last => {
                    return Err(refusal(place, "a second `{{ else }}` follows the first"));
                }
                Some((_, Closing::Else)) => {}
                Some((place, Closing::ElseThen(with, words))) if with == is_with => {
                    (line, condition) = (place, Some(words));
                }
                Some((place, Closing::ElseThen(..))) => {
                    return Err(refusal(
                        place,
                        format!("this `else` belongs to `{name}`, so it can be `else {name}` only"),
                    ));
                }
            }
        }
        self.depth -= 1;
        Ok(Node::Choice(choice))
    }
}

/// The one expression of an action.
fn expression(line: usize, words: Vec<Word>) -> Result<Expression, Refusal> {
    let mut words = words.into_iter().peekable();
    let expression = command(line, &mut words, 0)?;
    match words.next() {
        None => Ok(expression),
        Some(_) => Err(refusal(line, "a `)` closes nothing")),
    }
}

type Words = std::iter::Peekable<std::vec::IntoIter<Word>>;

/// A function with what follows it, or one value; up to a `)` or the end.
fn command(line: usize, words: &mut Words, depth: usize) -> Result<Expression, Refusal> {
    if depth > DEEPEST {
        return Err(refusal(line, format!("more than {DEEPEST} parentheses lie in one another")));
    }
    let mut given = Vec::new();
    let function = match words.peek() {
        Some(Word::Name(name)) if Function::named(name).is_some() => {
            let function = Function::named(name).map(|function| (function, name.clone()));
            words.next();
            function
        }
        _ => None,
    };
    while words.peek().is_some_and(|word| *word != Word::Close) {
        given.push(operand(line, words, depth)?);
    }
    let Some((function, name)) = function else {
        let mut given = given.into_iter();
        return match (given.next(), given.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(refusal(line, "a value is missing")),
            (Some(_), Some(_)) => Err(refusal(line, "two values follow one another, and the first is no function")),
        };
    };
    if !function.takes(given.len()) {
        return Err(refusal(line, format!("`{name}` is given {} values, which it does not take", given.len())));
    }
    Ok(Expression::Call(function, given))
}

fn operand(line: usize, words: &mut Words, depth: usize) -> Result<Expression, Refusal> {
    match words.next() {
        Some(Word::Path { from_top, names }) => Ok(Expression::Path { from_top, names }),
        Some(Word::Text(text)) => Ok(Expression::Text(text)),
        Some(Word::Open) => {
            let inner = command(line, words, depth + 1)?;
            match words.next() {
                Some(Word::Close) => Ok(inner),
                _ => Err(refusal(line, "a `(` has no `)`")),
            }
        }
        Some(Word::Name(name)) => match name.as_str() {
            "true" => Ok(Expression::Flag(true)),
            "false" => Ok(Expression::Flag(false)),
            name if Function::named(name).is_some() => {
                Err(refusal(line, format!("the function `{name}` stands in the place of a value: use parentheses")))
            }
            name => Err(refusal(line, format!("{} is not known here", shown(name)))),
        },
        Some(Word::Close) | None => Err(refusal(line, "a value is missing")),
    }
}
