// Command recording makes a picture of what it reads from standard input, the output of `test/vm/run demo`, line by line as it
// comes:
//
//	recording CAST SVG
//
// CAST is what came when (asciicast v2, for asciinema(1)), SVG what a README shows of it. Both are written when the input ends
// well: a demo that failed makes no picture.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "recording CAST SVG")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(cast, picture string) error {
	began := time.Now()
	r, err := record(os.Stdin, os.Stdout, func() time.Duration { return time.Since(began) })
	if err != nil {
		return err
	}
	if err := r.failure(); err != nil {
		return err
	}
	text, err := r.cast()
	if err != nil {
		return err
	}
	if err := os.WriteFile(cast, []byte(text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(picture, []byte(draw(r)), 0o644)
}

// record reads lines until the input ends, passes them on to out, and notes when each came.
func record(in io.Reader, out io.Writer, clock func() time.Duration) (recording, error) {
	var r recording
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		r = append(r, line{clock(), lines.Text()})
		fmt.Fprintln(out, lines.Text())
	}
	return r, lines.Err()
}
