"""Types at a terminal: type.py SECONDS COMMAND [PATTERN ANSWER]...

Runs COMMAND on a terminal of its own. Each time what it says matches the next PATTERN, a regular expression, the ANSWER
is typed, in which \\r and \\x1d mean what they do in Python. Prints all that was said, and exits as COMMAND does; with 124
when the next pattern, or the end, did not come within SECONDS.
"""
import os, pty, re, select, signal, sys, time

seconds, command, dialogue = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvpe("/bin/sh", ["sh", "-c", command], {**os.environ, "TERM": os.environ.get("TERM", "xterm-256color")})

said, seen = "", 0
deadline = time.monotonic() + seconds
while True:
    if dialogue and (match := re.search(dialogue[0], said[seen:])):
        seen += match.end()
        time.sleep(0.3)  # who asks for a password drops what was typed before
        os.write(terminal, dialogue[1].encode().decode("unicode_escape").encode())
        dialogue, deadline = dialogue[2:], time.monotonic() + seconds
    ready, _, _ = select.select([terminal], [], [], 0.2)
    try:
        chunk = os.read(terminal, 65536) if ready else None
    except OSError:  # nobody has the terminal any more
        chunk = b""
    if chunk == b"":
        break
    said += (chunk or b"").decode(errors="replace")
    if time.monotonic() > deadline:
        os.kill(pid, signal.SIGKILL)
        print(said, "\nwaited in vain for", dialogue[0] if dialogue else "the end")
        sys.exit(124)
print(said)
if dialogue:
    print("ended before", dialogue[0])
    sys.exit(124)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("exit status", status)  # that of a signal is negative
sys.exit(status if status >= 0 else 128 - status)
