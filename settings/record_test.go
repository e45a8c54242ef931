package settings

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The record of a container as it is written, and back.
func TestRecord(t *testing.T) {
	arguments := strings.Fields(unitLine + " --machine=web")
	c, err := ParseCommandLine(arguments)
	if err != nil {
		t.Fatal(err)
	}
	c.Directory = "/var/lib/machines/web"
	file, problems := Parse("/etc/systemd/nspawn/web.nspawn", "web",
		[]byte("[Exec]\nEnvironment=SECRET=\"a b\"\n[Network]\nZone=app\n[Unit]\nAfter=db.nspawn\n[Service]\nMemoryMax=1G\n[Install]\nWantedBy=machines.target\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := NewRecord(arguments, c, file)
	r.Supervisor = 4711
	r.Unit = []RecordLine{{Key: "Service.MemoryMax", Value: "1G", File: "/run/systemd/generator/x", Line: 7}}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "record.json", string(data)+"\n")
	var back Record
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	var got []Assignment
	for _, line := range back.Lines {
		got = append(got, line.Assignment())
	}
	if want := Effective(c, file); !reflect.DeepEqual(got, want) || len(want) == 0 {
		t.Errorf("read back as %v, want %v", got, want)
	}
}

// docs/records.md describes every field.
func TestRecordIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../docs/records.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(data), "| field |")
	for _, kind := range []reflect.Type{reflect.TypeFor[Record](), reflect.TypeFor[RecordLine]()} {
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(table, "`"+name+"`") {
				t.Errorf("%s is missing", name)
			}
		}
	}
}
