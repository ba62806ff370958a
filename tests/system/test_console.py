"""The runner of the documents' commands notices what a reader would."""

import os
import textwrap

import pytest
from tests import console


def run(text, directory):
    console.run(console.blocks(textwrap.dedent(text)), directory, dict(os.environ), timeout=10)


def test_a_document_that_tells_the_truth(tmp_path):
    text = """
    Words.

    ```console
    $ mkdir here && cd here
    $ echo one; echo two \\
    >   three
    one
    two three
    $ date
    ...20...
    ```

    ```console fails
    $ pwd; false
    .../here
    ```
    """
    run(text, tmp_path)
    assert (tmp_path / "here").is_dir()


@pytest.mark.parametrize(
    "block",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ echo one\n```\n",
        "```console\n$ echo one\none\nmore\n```\n",
        "```console\n$ true\n$ false\n$ true\n```\n",
        "```console fails\n$ true\n```\n",
        "```console\n$ exit 3\n```\n",
    ],
)
def test_a_document_that_does_not(block, tmp_path):
    with pytest.raises(AssertionError):
        run(block, tmp_path)


SERVER = """
```console server
$ python3 -u -c "{0}import signal; print('up'); signal.pause()"
up
```

```console
$ echo another terminal
another terminal
```
"""


def test_a_server_ends_with_ctrl_c(tmp_path):
    quiet = "import signal, sys; signal.signal(2, lambda *_: sys.exit(0)); "
    run(SERVER.format(quiet), tmp_path)


def test_a_server_that_ends_badly_is_noticed(tmp_path):
    with pytest.raises(AssertionError):
        run(SERVER.format(""), tmp_path)
