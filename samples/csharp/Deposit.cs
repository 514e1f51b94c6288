// Deposits an eCIT. Usage: Deposit ready.json|connection.json values.json [id]  (.NET Framework 4.7.2, .NET 8 or Mono, nothing to install)
using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
static class Deposit
{
    static HttpClient http;
    static XElement Json(HttpContent content) => XElement.Load(System.Runtime.Serialization.Json.JsonReaderWriterFactory.CreateJsonReader(
        content.ReadAsByteArrayAsync().Result, System.Xml.XmlDictionaryReaderQuotas.Max));
    static string Token(XElement json) => (string)json.Element("access_token") ?? throw Fail("no token: " + json.Element("error")?.Value + ", " + json.Element("error_description")?.Value);
    static Exception Fail(string why) { Console.Error.WriteLine(why); Environment.Exit(1); return null; }
    static HttpResponseMessage Send(string url, HttpContent body, Dictionary<string, string> headers)
    {
        var request = new HttpRequestMessage(body == null ? HttpMethod.Get : HttpMethod.Post, url) { Content = body };
        foreach (var header in headers) request.Headers.Add(header.Key, header.Value);
        try { return http.SendAsync(request).Result; }
        catch (AggregateException lost) { throw Fail("eConnector does not answer: start it and read the file anew; " +
            $"if something was sent, send the same id again ({url}: {lost.GetBaseException().Message})"); }
    }

    static void Main(string[] arguments)
    {
        var place = System.IO.File.Exists(arguments[0]) ? Json(new ByteArrayContent(System.IO.File.ReadAllBytes(arguments[0])))
            : throw Fail("eConnector does not run as this user, or its file is elsewhere: " + arguments[0]);
        Func<string, string> At = name => (string)place.Element(name);
        string key = At("key"), api = (At("api") ?? At("url")) + "/econnector", token = Environment.GetEnvironmentVariable("ECONNECTOR_TOKEN");
        // No proxy on loopback, which would read everything. The sandbox's CA has to be trusted first, as samples/README.md says.
        http = new HttpClient(new HttpClientHandler { UseProxy = key == null }) { Timeout = TimeSpan.FromMinutes(4) };
        var headers = new Dictionary<string, string> { ["Accept-Language"] = "en" };
        if (key != null) // a connection file: the desktop of this user; it asks the physician herself, unless there is a token
        {
            // After a crash another user's program may have taken the port: only the one that wrote this file knows its key.
            string challenge = Guid.NewGuid().ToString(), hex = BitConverter.ToString(
                new HMACSHA256(Encoding.ASCII.GetBytes(key)).ComputeHash(Encoding.ASCII.GetBytes(challenge))).Replace("-", "");
            var status = Json(Send(api + "/status", null, new Dictionary<string, string> { ["X-EConnector-Challenge"] = challenge }).Content);
            if (!hex.Equals((string)status.Element("link")?.Element("proof"), StringComparison.OrdinalIgnoreCase))
                throw Fail("this is not the program of the connection file: read the file anew");
            headers = new Dictionary<string, string>(headers) { ["X-EConnector-Key"] = key, ["X-EConnector-Software"] = "Sample CSharp/1.0" };
        }
        else // a ready file: the hospital server, with a token in the physician's name (RFC 8693)
            token = Token(Json(Send(At("token_endpoint"), new FormUrlEncodedContent(new Dictionary<string, string> {
                ["grant_type"] = "urn:ietf:params:oauth:grant-type:token-exchange", ["client_id"] = At("client_id"),
                ["client_secret"] = At("client_secret"), ["requested_subject"] = At("ehealth_id"), ["audience"] = "https://eadmin.lu/" }), headers).Content));
        if (token != null) headers["Authorization"] = "Bearer " + token;
        // The id is made once for each certificate and kept: sent again after a lost answer, it is never deposited twice.
        var id = arguments.Length > 2 ? arguments[2] : Guid.NewGuid().ToString();
        var body = $"{{\"id\": \"{id}\", \"kind\": \"ecit\", \"values\": {System.IO.File.ReadAllText(arguments[1])}}}";
        Console.Error.WriteLine("id " + id);
        Func<HttpResponseMessage> post = () => Send(api + "/v1/documents", new StringContent(body, Encoding.UTF8, "application/json"), headers);
        var answer = post();
        for (var again = 4; answer.Headers.RetryAfter?.Delta is TimeSpan wait && again > 0; again--, answer = post())
        { Console.Error.WriteLine((string)Json(answer.Content).Element("next")); System.Threading.Thread.Sleep(wait); }
        if ((string)Json(answer.Content).Element("state") != "deposited") throw Fail(answer.Content.ReadAsStringAsync().Result);
        Console.WriteLine("deposited " + ((int)answer.StatusCode == 201 ? "" : "before ") + Json(answer.Content).Element("receipt").Element("reference").Value);
    }
}
