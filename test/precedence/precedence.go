// Package precedence reads the truth table of docs/precedence.md: the documentation is the input of the tests.
package precedence

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// unitArguments are those of systemd-nspawn@.service that matter here; the table calls them "unit".
const unitArguments = "--boot --link-journal=try-guest --network-veth -U"

// heading begins each of the tables.
const heading = "| file | command line | `--settings=` | result | systemd-nspawn |"

// Row is one row of the table.
type Row struct {
	Line      int    // in the document
	Files     []File // that exist for the container
	Arguments []string
	Result    map[string]string // what is to be observed, by aspect ("links")
	Oracle    map[string]string // the same for systemd-nspawn
}

// File is one file of a row.
type File struct {
	Place string // "trusted", "beside" (the image) or "drop-in"
	Text  string
	Mask  bool // it is a link to /dev/null
}

// Name says which row it is.
func (r *Row) Name() string { return fmt.Sprintf("line %d", r.Line) }

// Uses reports whether the row sets a key in a file or has an option.
func (r *Row) Uses(key, option string) bool {
	for _, f := range r.Files {
		if strings.Contains("\n"+f.Text, "\n"+key+"=") {
			return true
		}
	}
	for _, argument := range r.Arguments {
		if option != "" && (argument == "--"+option || strings.HasPrefix(argument, "--"+option+"=")) {
			return true
		}
	}
	return false
}

// Rows reads all tables of the document.
func Rows(path string) ([]Row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []Row
	inTable := false
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case line == heading:
			inTable = true
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case inTable && !strings.HasPrefix(line, "|---"):
			row, err := parse(line)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
			}
			row.Line = i + 1
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no rows", path)
	}
	return rows, nil
}

func parse(line string) (Row, error) {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	if len(cells) != 5 {
		return Row{}, fmt.Errorf("%d cells", len(cells))
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	row := Row{Result: aspects(cells[3]), Oracle: aspects(cells[4])}
	if rest, found := strings.CutPrefix(cells[1], "unit"); found {
		row.Arguments, cells[1] = strings.Fields(unitArguments), rest
	}
	row.Arguments = append(row.Arguments, "--settings="+cells[2])
	row.Arguments = append(row.Arguments, strings.Fields(strings.Join(spans(cells[1]), " "))...)
	var err error
	if row.Files, err = files(cells[0]); err != nil {
		return Row{}, err
	}
	switch {
	case len(row.Result) == 0:
		return Row{}, errors.New("no result")
	case len(row.Oracle) > 0 && strings.TrimSpace(codeSpan.ReplaceAllString(cells[4], "")) == "":
		return Row{}, errors.New("a difference without a reason")
	}
	if _, refused := row.Oracle["refused"]; refused {
		return row, nil
	}
	for aspect, value := range row.Result { // the same unless the last cell says something else
		if _, differs := row.Oracle[aspect]; !differs && (aspect != "refused" || len(row.Oracle) == 0) {
			row.Oracle[aspect] = value
		}
	}
	return row, nil
}

// files reads the first cell: "none", or files with ";" between them: "`[Exec]` `Boot=yes`; beside: empty".
func files(cell string) ([]File, error) {
	var list []File
	if cell == "none" {
		return nil, nil
	}
	for part := range strings.SplitSeq(cell, ";") {
		f := File{Place: "trusted"}
		part = strings.TrimSpace(part)
		for _, place := range []string{"beside", "drop-in"} {
			if rest, found := strings.CutPrefix(part, place+": "); found {
				f.Place, part = place, rest
			}
		}
		switch lines := spans(part); {
		case part == "`/dev/null`":
			f.Mask = true
		case len(lines) > 0:
			f.Text = strings.Join(lines, "\n") + "\n"
		case part != "empty":
			return nil, fmt.Errorf("file %q", part)
		}
		list = append(list, f)
	}
	return list, nil
}

// aspects reads "`links: veth` `users: pick`"; words between are for people.
func aspects(cell string) map[string]string {
	m := make(map[string]string)
	for _, span := range spans(cell) {
		if aspect, value, found := strings.Cut(span, ": "); found {
			m[aspect] = value
		} else if span == "refused" {
			m[span] = "yes"
		}
	}
	return m
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

func spans(cell string) []string {
	var list []string
	for _, match := range codeSpan.FindAllStringSubmatch(cell, -1) {
		list = append(list, match[1])
	}
	return list
}
