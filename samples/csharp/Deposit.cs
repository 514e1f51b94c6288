// Deposits an eCIT. Usage: Deposit ready.json|connection.json values.json [id]  (.NET Framework 4.7.2, .NET 8 or Mono, nothing to install)
using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Http;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading;
using System.Xml;
using System.Xml.Linq;

static class Deposit
{
    // The sandbox's CA has to be trusted first, as samples/README.md says; certificates are always verified.
    static readonly HttpClient Http = new HttpClient { Timeout = TimeSpan.FromMinutes(4) };

    static XElement Json(byte[] text) => XElement.Load(JsonReaderWriterFactory.CreateJsonReader(text, XmlDictionaryReaderQuotas.Max));

    static HttpResponseMessage Post(string url, HttpContent body, Action<HttpRequestMessage> also = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = body };
        also?.Invoke(request);
        return Http.SendAsync(request).Result;
    }

    static int Main(string[] arguments)
    {
        var place = Json(File.ReadAllBytes(arguments[0]));
        Func<string, string> At = name => (string)place.Element(name);
        var token = Environment.GetEnvironmentVariable("ECONNECTOR_TOKEN");
        if (At("key") == null) // a ready file: the hospital server, with a token in the physician's name (RFC 8693)
        {
            var exchanged = Post(At("token_endpoint"), new FormUrlEncodedContent(new Dictionary<string, string> {
                ["grant_type"] = "urn:ietf:params:oauth:grant-type:token-exchange", ["client_id"] = At("client_id"),
                ["client_secret"] = At("client_secret"), ["requested_subject"] = At("ehealth_id"), ["audience"] = "https://eadmin.lu/" }));
            token = (string)Json(exchanged.Content.ReadAsByteArrayAsync().Result).Element("access_token");
        }
        // The id is made once for each certificate and kept: sent again after a lost answer, it is never deposited twice.
        var id = arguments.Length > 2 ? arguments[2] : Guid.NewGuid().ToString();
        var body = "{\"id\": \"" + id + "\", \"kind\": \"ecit\", \"values\": " + File.ReadAllText(arguments[1]) + "}";
        for (var attempt = 0; ; attempt++)
        {
            var answer = Post((At("api") ?? At("url")) + "/econnector/v1/documents", new StringContent(body, Encoding.UTF8, "application/json"), request => {
                request.Headers.Add("Accept-Language", "en");
                if (token != null) request.Headers.Add("Authorization", "Bearer " + token); // without: the desktop's session, and it asks her
                if (At("key") == null) return;
                request.Headers.Add("X-EConnector-Key", At("key"));
                request.Headers.Add("X-EConnector-Software", "Sample CSharp/1.0");
            });
            var wait = answer.Headers.RetryAfter?.Delta;
            if (wait.HasValue && attempt < 5) { Thread.Sleep(wait.Value); continue; }
            var text = answer.Content.ReadAsByteArrayAsync().Result;
            var deposited = (string)Json(text).Element("state") == "deposited";
            if (deposited) Console.WriteLine(((int)answer.StatusCode == 201 ? "deposited " : "deposited before ") + (string)Json(text).Element("receipt").Element("reference"));
            else Console.Error.WriteLine(Encoding.UTF8.GetString(text));
            return deposited ? 0 : 1;
        }
    }
}
