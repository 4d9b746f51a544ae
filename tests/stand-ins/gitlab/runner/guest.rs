//! The commands that scripts call in the guest. Archives are made by `tar`; the real runner makes zip files, which nobody but
//! itself opens.

use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    /// Sends files to the coordinator
    ArtifactsUploader {
        #[command(flatten)]
        job: Job,
        #[arg(long)]
        path: Vec<String>,
    },
    /// Gets the files of another job
    ArtifactsDownloader {
        #[command(flatten)]
        job: Job,
    },
    /// Keeps files in the cache
    CacheArchiver {
        #[arg(long)]
        file: PathBuf,
        #[arg(long)]
        path: Vec<String>,
    },
    /// Gets them back
    CacheExtractor {
        #[arg(long)]
        file: PathBuf,
    },
}

#[derive(clap::Args)]
pub struct Job {
    #[arg(long)]
    url: String,
    #[arg(long)]
    token: String,
    #[arg(long)]
    id: u64,
}

impl Job {
    fn address(&self) -> String {
        format!("{}/api/v4/jobs/{}/artifacts", self.url.trim_end_matches('/'), self.id)
    }
}

/// Does what a script asked for.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::ArtifactsUploader { job, path } => {
            let archive = tar(&["--create", "--file", "-", "--"], &path)?;
            let boundary = "fakeboundaryfakeboundary";
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"artifacts.zip\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            let body = [head.as_bytes(), &archive, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
            ureq::post(&job.address())
                .header("job-token", &job.token)
                .header("content-type", format!("multipart/form-data; boundary={boundary}"))
                .send(&body)
                .context("Failed to upload artifacts")?;
            println!("Uploading artifacts as \"archive\" to coordinator... 201 Created");
        }
        Command::ArtifactsDownloader { job } => {
            let mut answer = ureq::get(&job.address())
                .header("job-token", &job.token)
                .call()
                .context("Failed to download artifacts")?;
            let archive = answer.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
            feed(&["--extract", "--file", "-"], &archive)?;
            println!("Downloading artifacts from coordinator... ok");
        }
        Command::CacheArchiver { file, path } => {
            let archive = tar(&["--create", "--file", "-", "--"], &path)?;
            let directory = file.parent().context("A cache needs a directory")?;
            std::fs::create_dir_all(directory).context("Failed to create the directory of the cache")?;
            std::fs::write(&file, archive).with_context(|| format!("Failed to write {}", file.display()))?;
            println!("Created cache");
        }
        Command::CacheExtractor { file } => match std::fs::read(&file) {
            Ok(archive) => {
                feed(&["--extract", "--file", "-"], &archive)?;
                println!("Successfully extracted cache");
            }
            Err(_) => println!("No cache found"),
        },
    }
    Ok(())
}

fn tar(arguments: &[&str], paths: &[String]) -> Result<Vec<u8>> {
    let output = Process::new("tar").args(arguments).args(paths).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("tar failed with {}", output.status);
    }
    Ok(output.stdout)
}

fn feed(arguments: &[&str], archive: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let mut child = Process::new("tar").args(arguments).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("tar has an input")?.write_all(archive)?;
    let status = child.wait()?;
    if !status.success() {
        bail!("tar failed with {status}");
    }
    Ok(())
}
