package dhcp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// maxLine bounds one line of a journal: the longest lease is shorter.
const maxLine = 4096

// compactLines is how many lines a journal may have beyond two for each lease before it is written anew: some 600 KB.
const compactLines = 4096

// Store is the file of a [Journal]. One process at a time may use it.
type Store interface {
	// Open returns the content; fs.ErrNotExist when there is none yet.
	Open() (io.ReadCloser, error)
	// Append adds whole lines at the end. They are on disk when it returns.
	Append(lines []byte) error
	// Replace puts what write writes in place of the content: all of it or, with an error, nothing.
	Replace(write func(io.Writer) error) error
}

// Journal keeps the leases of one server: a line of JSON for each change, as docs/leases.md describes it. It is not safe for use by
// several goroutines; [Serve] is its only writer.
type Journal struct {
	store  Store
	server *Server
	lines  int
	behind bool // the file lacks changes, or ends within a line: write it anew
}

// OpenJournal reads the leases into server. A line that cannot be used is a problem, reported as FILE:LINE, and skipped; the others
// count. The error says that there is no reading or writing at all.
func OpenJournal(store Store, name string, server *Server, now time.Time) (journal *Journal, problems []error, err error) {
	j := &Journal{store: store, server: server}
	content, err := store.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open lease journal: %w", err)
	}
	defer content.Close()
	problems, err = j.read(content, name, now)
	if err != nil {
		return nil, problems, fmt.Errorf("read lease journal %s: %w", name, err)
	}
	return j, problems, nil
}

// maxProblems bounds what is reported of one journal.
const maxProblems = 20

func (j *Journal) read(content io.Reader, name string, now time.Time) (problems []error, err error) {
	reader := bufio.NewReaderSize(content, maxLine)
	unreported, outside := 0, 0
	for {
		line, whole, err := readLine(reader)
		if err == io.EOF {
			break
		}
		if err != nil {
			return problems, err
		}
		j.lines++
		j.behind = !whole // a torn last line: nothing may be appended to it
		problem := j.restore(line, now)
		if errors.Is(problem, errOutside) {
			outside++
		}
		switch {
		case problem == nil:
		case outside > 1 && errors.Is(problem, errOutside): // a link that got another subnet has only such
		case len(problems) < maxProblems:
			problems = append(problems, fmt.Errorf("%s:%d: skipped: %w", name, j.lines, problem))
		default:
			unreported++
		}
	}
	if outside > 1 {
		problems = append(problems, fmt.Errorf("%s: skipped %d more leases that are %w", name, outside-1, errOutside))
	}
	if unreported > 0 {
		problems = append(problems, fmt.Errorf("%s: skipped %d more lines", name, unreported))
	}
	return problems, nil
}

// readLine returns the next line without its end, and whether it had one. Of a line that is too long the rest is dropped.
func readLine(reader *bufio.Reader) (line []byte, whole bool, err error) {
	line, err = reader.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line = bytes.Clone(line)
		for err == bufio.ErrBufferFull {
			_, err = reader.ReadSlice('\n')
		}
	}
	if err == io.EOF && len(line) > 0 {
		return line, false, nil
	}
	return bytes.TrimSuffix(line, []byte("\n")), err == nil, err
}

func (j *Journal) restore(line []byte, now time.Time) error {
	lease, err := parseLease(line)
	if err != nil {
		return err
	}
	return j.server.Restore(lease, now)
}

// Commit writes changed leases to disk, in order. After an error the file may lack them; the next Commit writes all leases anew.
func (j *Journal) Commit(changes []Lease) error {
	if len(changes) == 0 {
		return nil
	}
	if j.behind {
		return j.Compact()
	}
	var lines []byte
	for _, lease := range changes {
		lines = appendLease(lines, lease)
	}
	if err := j.store.Append(lines); err != nil {
		j.behind = true
		return fmt.Errorf("append to lease journal: %w", err)
	}
	j.lines += len(changes)
	if j.lines > compactLines+2*j.server.count() {
		return j.Compact()
	}
	return nil
}

// Compact writes the journal anew with one line for each lease.
func (j *Journal) Compact() error {
	lines := 0
	err := j.store.Replace(func(w io.Writer) error {
		var line []byte
		for lease := range j.server.Leases() {
			line = appendLease(line[:0], lease)
			if _, err := w.Write(line); err != nil {
				return err
			}
			lines++
		}
		return nil
	})
	if err != nil {
		j.behind = true
		return fmt.Errorf("write lease journal anew: %w", err)
	}
	j.lines, j.behind = lines, false
	return nil
}
