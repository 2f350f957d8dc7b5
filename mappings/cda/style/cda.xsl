<?xml version="1.0" encoding="UTF-8"?>
<!--
  Any CDA R2 document as accessible HTML5, and the papers of ours as the printed form. The input is the document with one element
  more, the last one: a `view` that holds the options of the call. Nothing of the document becomes markup, style or address except through the templates
  here; what no template knows is shown as its text. narrative.xsl has the narrative block, form.xsl the layout of the forms,
  facts.xsl the header facts of documents that are no forms.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:v="urn:hl7-org:v3"
    xmlns:view="urn:lienthong:view" exclude-result-prefixes="v view">
  <xsl:output method="html" encoding="UTF-8" indent="no"/>
  <xsl:key name="id" match="*[@ID]" use="@ID"/>

  <xsl:variable name="document" select="/v:ClinicalDocument"/>
  <xsl:variable name="view" select="$document/view:view[last()]"/>
  <xsl:variable name="sections" select="$document/v:component/v:structuredBody/v:component/v:section"/>
  <xsl:variable name="head" select="$sections[contains(concat(' ', v:text/@styleCode, ' '), ' xHeader ')][1]"/>

  <xsl:template match="/">
    <html lang="vi">
      <head>
        <meta http-equiv="Content-Security-Policy" content="{$view/@policy}"/>
        <meta name="referrer" content="no-referrer"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <xsl:if test="$view/@written">
          <meta name="dcterms.created" content="{$view/@written}"/>
        </xsl:if>
        <title><xsl:call-template name="title"/></title>
        <style><xsl:value-of select="$view/@style"/></style>
      </head>
      <body class="{$view/@layout}">
        <xsl:if test="$view/@watermark">
          <div class="watermark" aria-hidden="true"><xsl:value-of select="$view/@watermark"/></div>
        </xsl:if>
        <xsl:choose>
          <xsl:when test="$head">
            <main>
              <xsl:call-template name="copies"/>
            </main>
          </xsl:when>
          <xsl:otherwise>
            <div class="sheet"><xsl:call-template name="foreign"/></div>
          </xsl:otherwise>
        </xsl:choose>
      </body>
    </html>
  </xsl:template>

  <xsl:template name="title">
    <xsl:choose>
      <xsl:when test="normalize-space($document/v:title)">
        <xsl:value-of select="normalize-space($document/v:title)"/>
      </xsl:when>
      <xsl:when test="$document/v:code/@displayName">
        <xsl:value-of select="$document/v:code/@displayName"/>
      </xsl:when>
      <xsl:otherwise>Tài liệu lâm sàng</xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="foreign">
    <header>
      <p class="custodian">
        <xsl:apply-templates select="$document/v:custodian/v:assignedCustodian/v:representedCustodianOrganization" mode="party"/>
      </p>
      <h1><xsl:call-template name="title"/></h1>
      <xsl:call-template name="stamp"/>
      <xsl:call-template name="patients"/>
    </header>
    <xsl:if test="count($sections) &gt; 3">
      <nav aria-label="Mục lục">
        <h2>Mục lục</h2>
        <ol>
          <xsl:for-each select="$sections">
            <li><a href="#muc-{position()}"><xsl:call-template name="section-title"/></a></li>
          </xsl:for-each>
        </ol>
      </nav>
    </xsl:if>
    <main>
      <xsl:if test="$document/v:languageCode/@code and string-length($document/v:languageCode/@code) &lt; 36">
        <xsl:attribute name="lang"><xsl:value-of select="$document/v:languageCode/@code"/></xsl:attribute>
      </xsl:if>
      <xsl:for-each select="$sections">
        <xsl:apply-templates select="." mode="section">
          <xsl:with-param name="id" select="concat('muc-', position())"/>
        </xsl:apply-templates>
      </xsl:for-each>
      <xsl:apply-templates select="$document/v:component/v:nonXMLBody/v:text" mode="attachment"/>
      <xsl:if test="not($document/v:component/v:structuredBody or $document/v:component/v:nonXMLBody)">
        <p class="note">Tài liệu không có nội dung.</p>
      </xsl:if>
    </main>
    <footer>
      <xsl:call-template name="document-facts"/>
      <xsl:call-template name="seals"/>
    </footer>
  </xsl:template>

  <xsl:template match="v:section" mode="section">
    <xsl:param name="id"/>
    <xsl:param name="level" select="2"/>
    <section>
      <xsl:if test="$id"><xsl:attribute name="id"><xsl:value-of select="$id"/></xsl:attribute></xsl:if>
      <xsl:if test="string-length(v:text) &lt; 1500 and count(v:text//v:tr) &lt; 12 and not(v:component/v:section)">
        <xsl:attribute name="class">keep</xsl:attribute>
      </xsl:if>
      <xsl:element name="h{$level}"><xsl:call-template name="section-title"/></xsl:element>
      <xsl:for-each select="v:subject | v:author | v:informant">
        <p class="note">
          <xsl:choose>
            <xsl:when test="self::v:subject">Về: </xsl:when>
            <xsl:when test="self::v:author">Người lập mục này: </xsl:when>
            <xsl:otherwise>Nguồn tin: </xsl:otherwise>
          </xsl:choose>
          <xsl:apply-templates select="*[not(self::v:time)]" mode="party"/>
        </p>
      </xsl:for-each>
      <xsl:choose>
        <xsl:when test="v:text[node()]">
          <div class="text"><xsl:apply-templates select="v:text/node()" mode="narrative"/></div>
        </xsl:when>
        <xsl:when test="not(v:component/v:section)">
          <p class="note">Mục này không có phần trình bày.</p>
        </xsl:when>
      </xsl:choose>
      <xsl:apply-templates select="v:component/v:section" mode="section">
        <xsl:with-param name="level" select="$level + number($level &lt; 6)"/>
      </xsl:apply-templates>
    </section>
  </xsl:template>

  <xsl:template name="section-title">
    <xsl:choose>
      <xsl:when test="normalize-space(v:title)"><xsl:value-of select="normalize-space(v:title)"/></xsl:when>
      <xsl:when test="v:code/@displayName"><xsl:value-of select="v:code/@displayName"/></xsl:when>
      <xsl:otherwise>Mục không có tên</xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- What stands on the page beside the document: stamp, signatures, notice of a copy, way to verify. -->

  <xsl:template name="stamp">
    <xsl:if test="$view/@stamp">
      <p class="stamp"><xsl:value-of select="$view/@stamp"/></p>
    </xsl:if>
  </xsl:template>

  <xsl:template name="seals">
    <xsl:if test="$view/view:signed[not(@slot)]">
      <section class="seals" aria-label="Chữ ký số">
        <xsl:apply-templates select="$view/view:signed[not(@slot)]"/>
      </section>
    </xsl:if>
    <xsl:if test="$view/@unsigned">
      <p class="unsigned">
        <strong>Chưa ký số</strong>
        <xsl:if test="string($view/@unsigned)">: <xsl:value-of select="$view/@unsigned"/></xsl:if>
        <xsl:text>.</xsl:text>
      </p>
    </xsl:if>
    <xsl:if test="$view/@qr or $view/view:copy">
      <div class="end">
        <xsl:if test="$view/@qr">
          <div class="qr">
            <img src="{$view/@qr}" alt="Mã QR để kiểm tra tài liệu"/>
            <p>Mã tra cứu:<br/><span class="code"><xsl:value-of select="$view/@code"/></span></p>
          </div>
        </xsl:if>
        <xsl:for-each select="$view/view:copy">
          <div class="copy">
            <p><strong>BẢN GIẤY CHUYỂN ĐỔI TỪ BẢN ĐIỆN TỬ</strong></p>
            <p>Hệ thống: <xsl:value-of select="@system"/></p>
            <p>Chủ quản: <xsl:value-of select="@owner"/></p>
            <p>Mã tra cứu: <span class="code"><xsl:value-of select="@code"/></span></p>
            <p>Người chuyển đổi: <xsl:value-of select="@by"/></p>
            <p>Thời điểm chuyển đổi: <xsl:value-of select="@at"/></p>
          </div>
        </xsl:for-each>
      </div>
    </xsl:if>
  </xsl:template>

  <xsl:template match="view:signed">
    <div class="signed">
      <p>Ký bởi: <strong><xsl:value-of select="@name"/></strong></p>
      <xsl:if test="string(@title)"><p><xsl:value-of select="@title"/></p></xsl:if>
      <p>Thời gian ký: <xsl:value-of select="@at"/></p>
      <p>Số sê-ri chứng thư: <xsl:value-of select="@serial"/></p>
    </div>
  </xsl:template>
</xsl:stylesheet>
