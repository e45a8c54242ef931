package network

import (
	"fmt"

	"nspawnkit/settings"
)

// section is one section of a file: of several with one name, each stands for a thing of its own.
type section struct {
	name   string
	origin settings.Origin // of its header
}

// sectionOf returns the section that a line stands in.
func sectionOf(s settings.Statement) section {
	return section{s.Section, settings.Origin{File: s.Origin.File, Line: s.SectionLine}}
}

// problem is one of the section as a whole.
func (s section) problem(text string) settings.Problem {
	return settings.Problem{Origin: s.origin, Text: fmt.Sprintf("[%s] not in effect: %s", s.name, text)}
}

// drop reports that a section is not in effect.
func (f *File) drop(s section, why string) { f.Problems = append(f.Problems, s.problem(why)) }
