"""Root directories with interpreters of Debian's newer suites, and free-threaded ones built from source.

mmdebstrap makes the directory, with the mirror of this machine. Commands run in it by ``chroot``, in a
mount namespace of their own, so that no mount outlives them. The machine's pip configuration, certificates
and local folders of wheels are used inside, so that package registries are reached as outside.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "waterspout", "pythons")
#: The tools with which packages are built that have no wheel for a version yet.
PACKAGES = (
    "python3-venv python3-dev ca-certificates build-essential libcurl4-openssl-dev libssl-dev git procps"
)
#: The libraries with which the modules of CPython are built.
BUILD_PACKAGES = (
    "libffi-dev zlib1g-dev libbz2-dev liblzma-dev libsqlite3-dev libreadline-dev uuid-dev libssl-dev "
    "libzstd-dev"
)
#: Files of the machine that commands inside need to reach package registries.
CONFIGURATION = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "/root/.config/pip",
    "/root/.pip",
)
#: The commands of Debian that must be there; mmdebstrap can be installed.
TOOLS = ("apt-get", "chroot", "unshare", "mount")


def why_impossible() -> str:
    """Return why this machine cannot make root directories, or an empty string if it can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"that needs Debian's {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "that needs the rights of root"


class RootDirectory:
    """A directory with a minimal Debian system.

    :param suite: the suite of Debian, such as ``sid``.
    """

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.path = CACHE / suite

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from changing the installed packages inside the block."""
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / f"{self.suite}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def make(self) -> None:
        """Create the directory unless it exists; an interrupted attempt leaves nothing that counts."""
        if self.path.exists():
            return
        if shutil.which("mmdebstrap") is None:
            _install_here("mmdebstrap")
        unfinished = self.path.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                '--aptopt=Acquire::Check-Valid-Until "false"',
                f"--include={','.join(PACKAGES.split())}",
                self.suite,
                str(unfinished),
                f"deb [trusted=yes] {_mirror()} {self.suite} main",
                f"deb-src [trusted=yes] {_mirror()} {self.suite} main",
            ],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        unfinished.rename(self.path)

    def install(self, *packages: str) -> None:
        """Install packages of Debian that are not installed yet."""
        if not packages:
            return
        names = shlex.join(packages)
        self.run(
            f"dpkg -s {names} >/dev/null 2>&1 || {{ apt-get update -qq && "
            f"apt-get install -y -qq --no-install-recommends {names} >/dev/null; }}"
        )

    def run(
        self,
        script: str,
        *,
        folder: str = "/",
        environment: Mapping[str, str] | None = None,
        output: IO[str] | None = None,
        check: bool = True,
    ) -> int:
        """Run a shell script inside the directory and return its exit status.

        :param folder: the current directory, inside.
        :param environment: variables beside those that pip and OpenSSL read.
        :param output: the file for standard output and error; by default those of this process.
        :raises subprocess.CalledProcessError: if ``check`` is true and the status is not 0.
        """
        self._copy_configuration()
        mounts = [
            f"mount --rbind {each} {shlex.quote(str(self.path))}{each}" for each in ("/proc", "/sys", "/dev")
        ]
        for wheels in _local_folders():
            inside = Path(f"{self.path}{wheels}")
            inside.mkdir(parents=True, exist_ok=True)
            mounts.append(f"mount --bind {shlex.quote(wheels)} {shlex.quote(str(inside))}")
        inner = f"cd {shlex.quote(folder)} && {script}"
        command = " && ".join(
            [*mounts, f"exec chroot {shlex.quote(str(self.path))} /bin/sh -c {shlex.quote(inner)}"]
        )
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            **{
                name: value
                for name, value in os.environ.items()
                if name.startswith("PIP_") or "_CERT_" in name
            },
            **(environment or {}),
        }
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", command],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        if check and done.returncode:
            raise subprocess.CalledProcessError(done.returncode, script)
        return done.returncode

    def copy_checkout(self, folder: str) -> None:
        """Copy the files of this checkout, changes included, to a folder inside, which is replaced.

        It is readable to every user, which a mounted checkout below a home directory may not be.
        """
        target = Path(f"{self.path}{folder}")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
            cwd=REPOSITORY,
            capture_output=True,
            check=True,
            text=True,
        )
        for name in filter(None, listing.stdout.split("\0")):
            source = REPOSITORY / name
            if source.exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / name)
        # Some tests ask git for the files of the checkout.
        self.run("git init -q . && git add -A", folder=folder)

    def _copy_configuration(self) -> None:
        for name in (*CONFIGURATION, os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")):
            source, target = Path(name), Path(f"{self.path}{name}")
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.exists() and not (target.exists() and filecmp.cmp(source, target, shallow=False)):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copyfile(source, target)


@dataclass(frozen=True)
class Recipe:
    """How the interpreter of a version is made in a root directory.

    :param suite: the suite of Debian whose packages are installed.
    :param package: the package of the interpreter; its source is built if ``free_threaded``.
    :param pinned: the path and the SHA-256 of a source archive in the mirror's pool. It is used if the mirror
        does not have the archive that the index of the suite names, as mirrors that lag behind do not.
    """

    suite: str
    package: str
    free_threaded: bool = False
    pinned: tuple[str, str] | None = None

    @property
    def root(self) -> RootDirectory:
        """The root directory that contains the interpreter."""
        return RootDirectory(self.suite)

    @property
    def executable(self) -> str:
        """The path of the interpreter, inside the root directory."""
        return (
            f"/opt/{self.package}t/bin/{self.package}t" if self.free_threaded else f"/usr/bin/{self.package}"
        )

    def is_made(self) -> bool:
        """Whether the interpreter is there."""
        return Path(f"{self.root.path}{self.executable}").exists()

    def make(self) -> None:
        """Make the interpreter and what it needs.

        :raises subprocess.CalledProcessError: if a command fails; its output has been printed.
        """
        root = self.root
        with root.lock():
            root.make()
            if self.is_made():
                return
            print(f"making {self.executable} in {root.path} ...", file=sys.stderr, flush=True)
            if self.free_threaded:
                self._build(root)
            else:
                root.install(f"{self.package}-venv", f"{self.package}-dev")

    def _build(self, root: RootDirectory) -> None:
        root.install(*BUILD_PACKAGES.split())
        folder, prefix = f"/usr/src/{self.package}", Path(self.executable).parents[1]
        source = f"apt-get update -qq && apt-get source -qq --download-only {self.package} >/dev/null"
        if self.pinned is not None:
            path, digest = self.pinned
            fetch = "import sys, urllib.request as request; request.urlretrieve(*sys.argv[1:])"
            source = (
                f"{{ {source}; }} || {{ python3 -c '{fetch}' {_mirror()}/{path} pinned.orig.tar.xz && "
                f"echo '{digest}  pinned.orig.tar.xz' | sha256sum -c --quiet; }}"
            )
        # An optimised build takes ten times as long; these interpreters show what works, not how fast.
        root.run(
            f"rm -rf {folder} && mkdir -p {folder}/tree && cd {folder} && {source} && "
            "tar -xf ./*.orig.tar.xz -C tree --strip-components 1 && cd tree && "
            f"{{ ./configure -q --disable-gil --prefix={prefix} && make -s -j2 && "
            f"make -s install DESTDIR={folder}/installed; }} >../log 2>&1 || "
            f"{{ tail -n 20 ../log; exit 1; }} && mv {folder}/installed{prefix} {prefix} && rm -rf {folder}"
        )


#: The recipes, by version. No suite of Debian has 3.12; 3.11 is that of Debian 12.
RECIPES = {
    "3.13": Recipe("trixie", "python3.13"),
    "3.14": Recipe("sid", "python3.14"),
    "3.15": Recipe("sid", "python3.15"),
    "3.13t": Recipe("trixie", "python3.13", free_threaded=True),
    "3.14t": Recipe(
        "sid",
        "python3.14",
        free_threaded=True,
        pinned=(
            "pool/main/p/python3.14/python3.14_3.14.7.orig.tar.xz",
            "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81",
        ),
    ),
}


def _install_here(package: str) -> None:
    subprocess.run(["apt-get", "update", "-qq"], check=True, stdin=subprocess.DEVNULL)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _mirror() -> str:
    """Return the URL of the machine's mirror of Debian."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    sites = [site for site in done.stdout.split() if site.rstrip("/").endswith("/debian")]
    return sites[0] if sites else "http://deb.debian.org/debian"


def _local_folders() -> set[str]:
    """Return the folders of this machine that its pip configuration names, for example ``find-links``."""
    texts = [value for name, value in os.environ.items() if name.startswith("PIP_")]
    for name in CONFIGURATION:
        files = [Path(name), *(Path(name).iterdir() if Path(name).is_dir() else ())]
        texts += [each.read_text() for each in files if "pip" in name and each.is_file()]
    names = re.findall(r"(?:file://|(?<![\w:/.]))(/[\w.+/-]+)", "\n".join(texts))
    # The pages of an index in ``…/simple`` usually refer to files beside that folder.
    return {name.removesuffix("/simple") for name in names if Path(name).is_dir()}
