// Google's API clients for Go that are made from the discovery documents: Cloud Logging, Cloud Functions, Cloud Run.
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/api/cloudfunctions/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/logging/v2"
	"google.golang.org/api/option"
	"google.golang.org/api/run/v2"
)

const version = "0.215.0"

var ctx, cancel = context.WithTimeout(context.Background(), 4*time.Minute)
var project, region = os.Getenv("SIM_PROJECT"), os.Getenv("SIM_REGION")
var parent = "projects/" + project + "/locations/" + region
var logs *logging.Service
var functions *cloudfunctions.ProjectsLocationsService
var services *run.ProjectsLocationsService

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func want(ok bool, what string, args ...any) {
	if !ok {
		panic(fmt.Errorf(what, args...))
	}
}

func done(op *cloudfunctions.Operation, err error) *cloudfunctions.Operation {
	for must(err); !op.Done; op, err = functions.Operations.Get(op.Name).Do() {
		must(err)
		time.Sleep(50 * time.Millisecond)
	}
	want(op.Error == nil, "the operation failed: %+v", op.Error)
	return op
}

func create(id string, argv ...string) *cloudfunctions.Operation {
	process, _ := json.Marshal(map[string]any{"argv": argv})
	return done(functions.Functions.Create(parent, &cloudfunctions.Function{
		Environment: "GEN_2", Labels: map[string]string{"made-by": "go"},
		BuildConfig: &cloudfunctions.BuildConfig{Runtime: "docker", EntryPoint: "x"},
		ServiceConfig: &cloudfunctions.ServiceConfig{AvailableMemory: "512Mi", EnvironmentVariables: map[string]string{
			"SOCKERLESS_IMAGE": "busybox", "SOCKERLESS_PROCESS": base64.StdEncoding.EncodeToString(process)}},
	}).FunctionId(id).Do())
}

func remove(id string) { done(functions.Functions.Delete(parent + "/functions/" + id).Do()) }

func entries(filter, order string, size int64) (found []*logging.LogEntry) {
	must(logs.Entries.List(&logging.ListLogEntriesRequest{ResourceNames: []string{"projects/" + project}, Filter: filter, OrderBy: order, PageSize: size}).Pages(ctx,
		func(page *logging.ListLogEntriesResponse) error {
			found = append(found, page.Entries...)
			return nil
		}))
	return
}

func texts(found []*logging.LogEntry) string {
	var all []string
	for _, e := range found {
		all = append(all, e.TextPayload)
	}
	return strings.Join(all, ",")
}

func code(err error) int {
	var e *googleapi.Error
	want(errors.As(err, &e), "no error of Google's: %v", err)
	return e.Code
}

var cases = []struct {
	name string
	fn   func()
}{
	{"functions: create, get, call, delete", func() {
		op := create("golife", "sh", "-c", "echo from go; exit 5")
		var f cloudfunctions.Function
		must(json.Unmarshal(op.Response, &f))
		want(f.State == "ACTIVE" && f.Name == parent+"/functions/golife", "%+v", f)
		got, err := functions.Functions.Get(f.Name).Do()
		must(err)
		want(got.Labels["made-by"] == "go" && got.ServiceConfig.AvailableMemory == "512Mi", "%+v", got)
		answer, err := http.Post(got.ServiceConfig.Uri, "text/plain", nil)
		must(err)
		answer.Body.Close()
		want(answer.StatusCode == 200 && answer.Header.Get("X-Sockerless-Exit-Code") == "5", "%v", answer)
		for end := time.Now().Add(30 * time.Second); texts(entries(`resource.labels.service_name="golife"`, "", 0)) != "from go"; time.Sleep(20 * time.Millisecond) {
			want(time.Now().Before(end), "the line did not come")
		}
		remove("golife")
		_, err = functions.Functions.Get(f.Name).Do()
		want(code(err) == 404, "%v", err)
	}},
	{"functions: list in pages", func() {
		ids := []string{"gopage-a", "gopage-b", "gopage-c", "gopage-d", "gopage-e"}
		for _, id := range ids {
			create(id, "true")
		}
		var found []string
		pages := 0
		must(functions.Functions.List("projects/"+project+"/locations/-").PageSize(2).Pages(ctx, func(page *cloudfunctions.ListFunctionsResponse) error {
			pages++
			for _, f := range page.Functions {
				found = append(found, f.Name[strings.LastIndex(f.Name, "/")+1:])
			}
			return nil
		}))
		want(pages >= 3 && strings.Join(found, ",") == strings.Join(ids, ","), "%d pages: %v", pages, found)
		for _, id := range ids {
			remove(id)
		}
	}},
	{"functions: errors", func() {
		_, err := functions.Functions.Create(parent, &cloudfunctions.Function{BuildConfig: &cloudfunctions.BuildConfig{Runtime: "docker"}}).FunctionId("no good").Do()
		want(code(err) == 400 && strings.Contains(err.Error(), "Invalid function_id"), "%v", err)
		_, err = functions.Functions.Delete(parent + "/functions/none").Do()
		want(code(err) == 404, "%v", err)
		_, err = functions.Operations.Get(parent + "/operations/none").Do()
		want(code(err) == 404, "%v", err)
	}},
	{"run: create, list, delete", func() {
		wait := func(op *run.GoogleLongrunningOperation, err error) {
			for must(err); !op.Done; must(err) {
				op, err = services.Operations.Wait(op.Name, &run.GoogleLongrunningWaitOperationRequest{Timeout: "10s"}).Do()
			}
			want(op.Error == nil, "the operation failed: %+v", op.Error)
		}
		wait(services.Services.Create(parent, &run.GoogleCloudRunV2Service{Template: &run.GoogleCloudRunV2RevisionTemplate{
			Containers: []*run.GoogleCloudRunV2Container{{Image: "busybox", Command: []string{"nc"}, Args: []string{"-ll", "-p", "8080", "-e", "cat"}}}}}).ServiceId("goserve").Do())
		s, err := services.Services.Get(parent + "/services/goserve").Do()
		must(err)
		want(s.TerminalCondition.State == "CONDITION_SUCCEEDED" && s.Generation == 1 && s.Uri != "", "%+v", s)
		list, err := services.Services.List(parent).Do()
		must(err)
		want(len(list.Services) == 1 && list.Services[0].Name == s.Name, "%+v", list)
		r, err := services.Services.Revisions.List(s.Name).Do()
		must(err)
		want(len(r.Revisions) == 1, "%+v", r)
		_, err = services.Services.Patch(s.Name, &run.GoogleCloudRunV2Service{Etag: `"stale"`, Template: s.Template}).UpdateMask("template").Do()
		want(code(err) == 409, "a stale etag: %v", err)
		wait(services.Services.Delete(s.Name).Do())
		_, err = services.Services.Get(s.Name).Do()
		want(code(err) == 404, "%v", err)
	}},
	{"logging: write and list", func() {
		var all []*logging.LogEntry
		for i := 0; i < 25; i++ {
			severity := "INFO"
			if i%2 == 1 {
				severity = "ERROR"
			}
			all = append(all, &logging.LogEntry{TextPayload: fmt.Sprint("line ", i), Severity: severity, HttpRequest: &logging.HttpRequest{Status: int64(200 + i), ResponseSize: 1 << 40}})
		}
		_, err := logs.Entries.Write(&logging.WriteLogEntriesRequest{LogName: "projects/" + project + "/logs/go%2Flog", Resource: &logging.MonitoredResource{Type: "global"}, Entries: all}).Do()
		must(err)
		found := entries(`LOG_ID("go/log")`, "timestamp asc", 10)
		want(len(found) == 25 && found[24].TextPayload == "line 24" && found[24].HttpRequest.ResponseSize == 1<<40, "%d: %s", len(found), texts(found))
		want(texts(entries(`LOG_ID("go/log") severity=ERROR httpRequest.status<206`, "timestamp desc", 2)) == "line 5,line 3,line 1", "%s", texts(found))
	}},
	{"logging: errors, with details", func() {
		_, err := logs.Entries.List(&logging.ListLogEntriesRequest{ResourceNames: []string{"projects/" + project}, Filter: "a = b:c"}).Do()
		want(code(err) == 400 && strings.Contains(err.Error(), "column 6, token ':'"), "%v", err)
		_, err = logs.Entries.Write(&logging.WriteLogEntriesRequest{LogName: "projects/" + project + "/logs/bad", Resource: &logging.MonitoredResource{Type: "global"}, PartialSuccess: true,
			Entries: []*logging.LogEntry{{TextPayload: "good"}, {TextPayload: "late", Timestamp: "2099-01-01T00:00:00Z"}}}).Do()
		var e *googleapi.Error
		want(errors.As(err, &e) && len(e.Details) == 1 && strings.Contains(fmt.Sprint(e.Details[0]), "logEntryErrors"), "%v", err)
		want(texts(entries(`LOG_ID("bad")`, "", 0)) == "good", "the good one was not kept")
	}},
	{"logging: logs and resources", func() {
		list, err := logs.Projects.Logs.List("projects/" + project).Do()
		must(err)
		want(strings.Contains(strings.Join(list.LogNames, " "), "/logs/go%2Flog"), "%v", list.LogNames)
		_, err = logs.Projects.Logs.Delete("projects/" + project + "/logs/go%2Flog").Do()
		must(err)
		want(len(entries(`LOG_ID("go/log")`, "", 0)) == 0, "the log is still there")
		d, err := logs.MonitoredResourceDescriptors.List().Do()
		must(err)
		want(len(d.ResourceDescriptors) > 3, "%d descriptors", len(d.ResourceDescriptors))
	}},
}

func try(name string, fn func()) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Printf("not ok - %s: %s\n", name, strings.ReplaceAll(fmt.Sprint(r), "\n", " | "))
		} else {
			fmt.Println("ok -", name)
		}
	}()
	fn()
}

func main() {
	defer cancel()
	options := []option.ClientOption{option.WithEndpoint(os.Getenv("SIM_URL") + "/"), option.WithoutAuthentication()}
	var err error
	logs, err = logging.NewService(ctx, options...)
	must(err)
	service, err := cloudfunctions.NewService(ctx, options...)
	must(err)
	functions = service.Projects.Locations
	served, err := run.NewService(ctx, options...)
	must(err)
	services = served.Projects.Locations
	fmt.Println("version -", version)
	for _, c := range cases {
		try(c.name, c.fn)
	}
}
