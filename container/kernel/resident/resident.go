// Package resident gives back memory that a process at rest does not need.
package resident

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// DropExecutable gives back the pages of the executable that are mapped, and of libraries: what a process does before it rests needs most of
// them, and what waits needs few. They come back, from the cache of the kernel, when they are used. What a dynamic linker has relocated would
// not (mprotect(2) hides that it was written to), so a mapping with pages of its own is left alone.
func DropExecutable() error {
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer file.Close()
	clean, err := cleanMappings(file)
	if err != nil {
		return fmt.Errorf("read /proc/self/smaps: %w", err)
	}
	for _, m := range clean {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give back pages of the executable: %w", errno)
		}
	}
	return nil
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// cleanMappings returns the mappings of files in smaps (proc_pid_smaps(5)) that cannot be written to, and hold nothing but what is in the file.
func cleanMappings(smaps io.Reader) (clean []mapping, err error) {
	var m mapping
	mapped := false
	for lines := bufio.NewScanner(smaps); ; {
		if !lines.Scan() {
			return clean, lines.Err()
		}
		fields := bytes.Fields(lines.Bytes())
		switch {
		case len(fields) == 0:
		case !bytes.HasSuffix(fields[0], []byte(":")): // the first line of a mapping
			mapped = len(fields) >= 6 && fields[1][1] != 'w' && fields[5][0] == '/'
			if _, err := fmt.Sscanf(string(fields[0]), "%x-%x", &m.start, &m.end); err != nil {
				return nil, err
			}
		case mapped && string(fields[0]) == "Anonymous:" && string(fields[1]) == "0":
			clean = append(clean, m)
		}
	}
}
